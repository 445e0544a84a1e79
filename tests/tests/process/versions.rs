//! A shop that goes back to an older version: its database was written by a newer one, and the older one leaves it alone.

use std::fs::{self, OpenOptions};
use std::time::Duration;

use redb::{Builder, ReadableDatabase, TableDefinition};

use super::binary::{must, stockroom};
use super::fleet::Fleet;
use super::till::Till;

const META: TableDefinition<'static, &'static [u8], &'static [u8]> = TableDefinition::new("meta");

/// The byte that says how rows are laid out; gives the one that was there.
fn set_format(path: &std::path::Path, to: u8) -> u8 {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let backend = redb::backends::FileBackend::new(file).unwrap();
    let database = Builder::new().create_with_backend(backend).unwrap();
    let reading = database.begin_read().unwrap();
    let was = reading.open_table(META).unwrap().get(b"format".as_slice()).unwrap().expect("it has a format").value()[0];
    drop(reading);
    let writing = database.begin_write().unwrap();
    writing.open_table(META).unwrap().insert(b"format".as_slice(), [to].as_slice()).unwrap();
    writing.commit().unwrap();
    was
}

#[test]
fn a_database_of_a_newer_version_is_refused_by_name_and_left_as_it_is() {
    let mut fleet = Fleet::of(1);
    let (mut till, door) = (Till::new(1, 1), fleet.store(1).door().clone());
    till.sell(Duration::from_secs(10), || door.clone());
    fleet.store(1).stop();
    let (data, database) = (fleet.store(1).data_text().to_owned(), fleet.store(1).data().join("stockroom.redb"));
    let this = set_format(&database, 250);
    let written = fs::read(&database).unwrap();

    let refused =
        stockroom(["run", "--data", &data, "--api", "127.0.0.1:0", "--listen", "127.0.0.1:0", "--mdns", "false"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    let wanted = format!("written by a newer version of stockroom (format 250, this version reads {this})");
    assert!(refused.err.contains(&wanted) && !refused.err.contains("panicked"), "{refused:?}");
    assert!(!refused.err.contains("restore a backup"), "nothing is damaged: {refused:?}");
    // Opening notes in the file's header that it was open, nothing else: what it holds is what it held.
    assert_eq!(fs::read(&database).unwrap().len(), written.len());

    assert_eq!(set_format(&database, this), 250);
    let sound = must(["verify", "--data", &data]);
    assert!(sound.contains("The database is sound."), "{sound}");
    fleet.store(1).start();
    till.check(fleet.store(1).door());
}

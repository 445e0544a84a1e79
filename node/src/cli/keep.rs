//! Commands about a node's files: devices, backups, and the database's soundness.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use stockroom_core::core::{Config as CoreConfig, Core};
use stockroom_core::journal::walk::{self, Extent};
use stockroom_core::storage::Store;
use stockroom_core::storage::redb::RedbStore;
use stockroom_core::time::Now;
use stockroom_core::tuning::Tuning;
use stockroom_core::view::View;
use stockroom_crdt::ids::Code;

use super::{BackupArgs, DeviceCommand, Failure, RestoreArgs, VerifyArgs, table};
use crate::backup::{file, restore};
use crate::client::{Client, Target};
use crate::daemon::clock::wall_ms;
use crate::devices::DeviceStore;
use crate::disk;
use crate::files::{DataDir, FilesError};
use crate::identity::Identity;
use crate::lan::trust_of;
use crate::verify::Mirror;

/// `device`.
pub fn device(command: DeviceCommand) -> Result<(), Failure> {
    match command {
        DeviceCommand::Add { name, data } => {
            out!("{}", devices(&data.data)?.add(&name, wall_ms())?);
            eprintln!("This is the token of {name:?}; it is shown once. Send it as `Authorization: Bearer TOKEN`.");
        }
        DeviceCommand::List { data } => {
            let rows = devices(&data.data)?.list()?;
            let now = wall_ms();
            let rows = rows.into_iter().map(|device| [device.name, table::age(now, device.added_ms)]);
            table::print(["device", "added"], rows);
        }
        DeviceCommand::Trust { data } => {
            let dir = DataDir::new(&data.data, None);
            let trust = trust_of(&dir, &Identity::load(&dir)?)?;
            out!("{}", trust.sha256);
            eprintln!("SHA-256 of the authority of https://{}, which the node gives out at /ca.crt.", trust.host);
        }
        DeviceCommand::Revoke { name, data } => {
            devices(&data.data)?.revoke(&name)?;
            out!("{name:?} is not believed any more.");
        }
    }
    Ok(())
}

fn devices(data: &Path) -> Result<DeviceStore, Failure> {
    let dir = DataDir::new(data, None);
    Identity::load(&dir)?;
    Ok(DeviceStore::open(dir.devices()))
}

/// `backup`: from the files of a stopped node, by the API of a running one.
pub fn backup(args: &BackupArgs) -> Result<(), Failure> {
    let dir = DataDir::new(&args.data.data, None);
    let identity = Identity::load(&dir)?;
    let rows = match dir.lock() {
        Ok(_lock) => {
            let store = open(&dir)?;
            let snapshot = store.reader().snapshot()?;
            if let Some(fault) = walk::logs(&*snapshot, identity.tenant()?, Extent::All)?.faults.first() {
                return Err(format!("the database is damaged: {fault}; an older backup may be whole").into());
            }
            let header = file::BackupHeader {
                tenant: identity.record.tenant.clone(),
                node: identity.record.node,
                at_ms: wall_ms(),
            };
            file::write(&*snapshot, &header, &args.file)?
        }
        Err(FilesError::Locked(_)) => {
            let client = Client::new(&Target { api: None, data: Some(args.data.data.clone()) });
            let answer = client.write("/v1/backup", None, &serde_json::json!({}))?;
            let written = answer["path"].as_str().ok_or_else(|| client.strange(&"it named no file"))?;
            take_over(Path::new(written), &args.file)?;
            file::read(&args.file, |_, _, _| Ok(()))?.1
        }
        Err(error) => return Err(error.into()),
    };
    out!("{rows} rows of node {} are in {}.", identity.record.node, args.file.display());
    Ok(())
}

/// Moves a file, also to another disk.
fn take_over(from: &Path, to: &Path) -> Result<(), Failure> {
    if std::fs::rename(from, to).is_err() {
        let beside = crate::files::beside(to, "new");
        std::fs::copy(from, &beside)?;
        std::fs::File::open(&beside)?.sync_all()?;
        crate::files::move_whole(&beside, to)?;
        std::fs::remove_file(from)?;
    }
    Ok(())
}

/// `restore`.
pub fn restore(args: &RestoreArgs) -> Result<(), Failure> {
    let dir = DataDir::new(&args.data.data, args.state.as_deref());
    let (header, rows) = restore::restore(&args.file, &dir)?;
    let age = table::age(wall_ms(), header.at_ms);
    out!("{rows} rows of node {} are restored, as they were {age} ago.", header.node);
    out!("The node opens a new epoch when it runs, and spends no rights until it heard its hub; its tills go on.");
    Ok(())
}

/// `verify`.
pub fn verify(args: &VerifyArgs) -> Result<ExitCode, Failure> {
    let dir = DataDir::new(&args.data.data, args.state.as_deref());
    let identity = Identity::load(&dir)?;
    let _lock = dir.lock()?;
    let mut store = open(&dir)?;
    let clean = store.check()?;
    out!("pages: {}", if clean { "all checksums are right" } else { "something was repaired" });
    let report = walk::logs(&*store.reader().snapshot()?, identity.tenant()?, Extent::All)?;
    out!("logs: {} logs, {} entries, {} seals", report.logs, report.entries, report.seals);
    report.faults.iter().for_each(|fault| out!("logs: {fault}"));
    let differ = books(&dir, &identity, &store)?;
    let sound = clean && report.faults.is_empty() && differ == 0;
    out!("{}", if sound { "The database is sound." } else { "THE DATABASE IS DAMAGED: restore a backup." });
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// `compact`.
pub fn compact(args: &VerifyArgs) -> Result<(), Failure> {
    let dir = DataDir::new(&args.data.data, args.state.as_deref());
    Identity::load(&dir)?;
    let _lock = dir.lock()?;
    if !dir.database().exists() {
        return Err(format!("{} is not there: the node has never run", dir.database().display()).into());
    }
    let done = crate::compact::compact(&dir)?;
    let (before, after) = (done.before >> 10, done.after >> 10);
    out!("{} rows were written anew; the database has {after} KiB, it had {before} KiB.", done.rows);
    out!("Backups of it that were made earlier still hold what was erased since: delete them.");
    Ok(())
}

/// Rebuilds every store's books from the logs, without writing anything, and gives the number of rows that differ.
fn books(dir: &DataDir, identity: &Identity, store: &impl Store) -> Result<u64, Failure> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    let config = CoreConfig {
        identity: identity.to_core()?,
        evidence: disk::evidence(dir)?,
        seed,
        version: Code::default(),
        quarantine: None,
        tuning: Tuning::default(),
    };
    let now = Now { boot: 0, mono_ms: 0, wall_ms: wall_ms() };
    let (mirror, findings) = Mirror::new(store.reader());
    let mut core = Core::open(config, Box::new(mirror), now)?;
    findings.begin();
    let stores = View::new(&*store.reader().snapshot()?).stores()?;
    for record in &stores {
        core.rebuild(record.store)?;
        core.commit(now)?;
    }
    let compared = findings.compared();
    out!("books: {} stores, {} rows, {} differ", stores.len(), compared.rows, compared.differ.1);
    if compared.differ.1 > 0 {
        out!("books: rows differ in {:?}", compared.differ.0);
    }
    Ok(compared.differ.1)
}

fn open(dir: &DataDir) -> Result<RedbStore, Failure> {
    let path: PathBuf = dir.database();
    if !path.exists() {
        return Err(format!("{} is not there: the node has never run", path.display()).into());
    }
    Ok(disk::open_database(&path, CACHE_BYTES)?)
}

const CACHE_BYTES: usize = 64 * 1024 * 1024;

//! The disk does what its faults say, seen through plain calls.

use super::*;

#[test]
fn what_was_synced_survives_and_the_rest_is_torn() {
    let mut torn = 0;
    for seed in 0..64 {
        let (disk, handle) = written(seed, 4_096);
        handle.write(100, &[2; 3000]).unwrap();
        disk.cut();
        assert!(handle.len().is_err(), "a handle dies with the power");
        let all = content(&disk);
        assert!(all[..100].iter().chain(&all[3100..]).all(|&b| b == 1));
        assert!(all[100..512].iter().all(|&b| b == all[100]), "a sector is whole");
        torn += usize::from(all[100..3100].contains(&1) && all[100..3100].contains(&2));
    }
    assert!(torn > 5, "{torn}");
}

#[test]
fn a_cut_keeps_any_of_the_writes_of_a_sector_and_any_of_the_lengths() {
    let (mut bytes, mut lengths, mut faults) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for seed in 0..400 {
        let (disk, handle) = written(seed, 4_096);
        (2..=4).for_each(|n| handle.write(0, &[n; 1_024]).unwrap());
        handle.set_len(2_048).unwrap();
        handle.set_len(8_192).unwrap();
        disk.cut();
        let all = content(&disk);
        *lengths.entry(all.len()).or_insert(0) += 1;
        *bytes.entry((all[0], all[512])).or_insert(0) += 1;
        let tail: &[u8] = if all.len() == 8_192 { &[0] } else { &[1] };
        let rest = all.get(2_048..4_096).unwrap_or(&[]);
        assert!(rest.iter().all(|byte| tail.contains(byte)), "what was cut off does not come back");
        disk.faults().into_iter().for_each(|(name, n)| *faults.entry(name).or_insert(0) += n);
    }
    assert_eq!(bytes.len(), 16, "each sector holds any of its four contents: {bytes:?}");
    assert_eq!(lengths.keys().copied().collect::<Vec<_>>(), [2_048, 4_096, 8_192]);
    let wanted = [Fault::Lost, Fault::Torn, Fault::Reordered, Fault::Shortened];
    assert!(wanted.iter().all(|fault| faults.contains_key(fault.name())), "{faults:?}");
}

#[test]
fn a_cut_may_be_told_what_to_keep() {
    for (kept, wanted) in [(Kept::Nothing, (1, 4_096)), (Kept::Everything, (2, 5_000))] {
        let (disk, handle) = written(1, 4_096);
        handle.write(0, &[2; 4_096]).unwrap();
        handle.set_len(5_000).unwrap();
        disk.cut_keeping(kept);
        let all = content(&disk);
        assert_eq!((all[0], all.len()), wanted);
    }
}

#[test]
fn a_planned_error_strikes_once_or_for_ever() {
    for (fault, call) in [
        (Fault::WriteError, (|handle: &Handle| handle.write(0, &[5; 512])) as fn(&Handle) -> io::Result<()>),
        (Fault::SyncError, |handle| handle.sync_data()),
        (Fault::LengthError, |handle| handle.set_len(8_192)),
        (Fault::ReadError, |handle| handle.read(0, &mut [0; 512])),
    ] {
        let (disk, handle) = written(1, 4_096);
        disk.plan(fault, Strike::Once(3));
        let outcome: Vec<bool> = (0..5).map(|_| call(&handle).is_ok()).collect();
        assert_eq!(outcome, [true, true, false, true, true], "{fault:?}");
        disk.plan(fault, Strike::From(2));
        let outcome: Vec<bool> = (0..4).map(|_| call(&handle).is_ok()).collect();
        assert_eq!(outcome, [true, false, false, false], "{fault:?}");
        assert_eq!(disk.faults(), BTreeMap::from([(fault.name(), 4)]));
        disk.heal();
        call(&handle).unwrap();
    }
}

#[test]
fn a_full_disk_takes_what_overwrites_and_refuses_what_is_new() {
    let (disk, handle) = written(1, 8_192);
    handle.set_len(1 << 20).unwrap();
    disk.fill(2 * PAGE_BYTES);
    handle.write(0, &[3; 8_192]).unwrap();
    handle.write(8_192, &[3; 8_192]).unwrap();
    let error = handle.write(16_384, &[3; 1]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    handle.write(0, &[4; 1]).unwrap();
    assert_eq!(disk.faults(), BTreeMap::from([(Fault::Full.name(), 1)]));
}

#[test]
fn a_lying_sync_is_found_out_when_the_power_goes_before_an_honest_one() {
    for (honest, left) in [(true, 2), (false, 1)] {
        let (disk, handle) = written(1, 4_096);
        disk.plan(Fault::LyingSync, Strike::Once(1));
        handle.write(0, &[2; 4_096]).unwrap();
        handle.sync_data().unwrap();
        if honest {
            handle.sync_data().unwrap();
        }
        disk.cut_keeping(Kept::Nothing);
        assert_eq!(content(&disk)[0], left);
    }
}

#[test]
fn a_write_that_is_lost_or_lands_elsewhere_is_seen_in_its_place_until_the_power_goes() {
    for (fault, hit) in [(Fault::LostWrite, 0), (Fault::Misdirected, 1)] {
        let (disk, handle) = written(1, 8 * PAGE_BYTES);
        disk.plan(fault, Strike::Once(1));
        handle.write(0, &[2; PAGE_BYTES]).unwrap();
        handle.sync_data().unwrap();
        assert_eq!(content(&disk)[0], 2);
        disk.cut();
        let all = content(&disk);
        assert_eq!(all[0], 1);
        assert_eq!(all.iter().filter(|&&byte| byte == 2).count(), hit * PAGE_BYTES);
    }
}

#[test]
fn a_stale_read_gives_what_stood_there_before_the_last_sync() {
    let (disk, handle) = written(1, 4_096);
    handle.write(0, &[2; 512]).unwrap();
    handle.sync_data().unwrap();
    disk.plan(Fault::StaleRead, Strike::Once(1));
    let (mut stale, mut fresh) = ([0; 1], [0; 1]);
    handle.read(0, &mut stale).unwrap();
    handle.read(0, &mut fresh).unwrap();
    assert_eq!((stale, fresh), ([1], [2]));
    assert_eq!(disk.faults(), BTreeMap::from([(Fault::StaleRead.name(), 1)]));
}

#[test]
fn rot_turns_single_bits_over_and_slowness_is_only_counted() {
    let (disk, handle) = written(7, 4_096);
    disk.rot(1, Some(1_000..1_010));
    disk.rot(1, None);
    let all = content(&disk);
    let turned: u32 = all.iter().map(|byte| (byte ^ 1).count_ones()).sum();
    assert_eq!(turned, 2);
    assert!(all[1_000..1_010].iter().any(|&byte| byte != 1));
    let before = (disk.ticks(), disk.steps());
    disk.slow(50);
    handle.sync_data().unwrap();
    assert_eq!((disk.ticks(), disk.steps()), (before.0 + 50, before.1 + 1));
    assert_eq!(disk.faults()[Fault::Slow.name()], 1);
}

#[test]
fn a_recorded_disk_can_be_had_as_it_was_after_every_step() {
    let (disk, handle) = written(1, 4_096);
    disk.record();
    handle.write(0, &[2; 512]).unwrap();
    handle.write(512, &[3; 512]).unwrap();
    handle.sync_data().unwrap();
    let moments = disk.take_recorded();
    assert_eq!(moments.iter().map(Still::pending).collect::<Vec<_>>(), [1, 2, 0]);
    let seen: Vec<_> = moments.into_iter().map(|still| content(&FaultyDisk::of(still, 1))).collect();
    assert_eq!(seen.iter().map(|all| (all[0], all[512])).collect::<Vec<_>>(), [(2, 1), (2, 3), (2, 3)]);
}

/// A disk whose first `len` bytes are 1 and synced.
fn written(seed: u64, len: usize) -> (FaultyDisk, Handle) {
    let disk = FaultyDisk::new(seed);
    let handle = disk.attach();
    handle.set_len(len as u64).unwrap();
    handle.write(0, &vec![1; len]).unwrap();
    handle.sync_data().unwrap();
    (disk, handle)
}

fn content(disk: &FaultyDisk) -> Vec<u8> {
    let mut all = vec![0; disk.file_bytes()];
    disk.attach().read(0, &mut all).unwrap();
    all
}

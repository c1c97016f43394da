//! The contract on a disk that loses power and fails, and what only this backend has to show.
//! Real files and processes are in `tests/redb_file.rs` and `tests/redb_process.rs`.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use futures::executor::block_on;
use futures::future::join_all;

use self::disk::Disk;
use super::*;
use crate::contract::Harness;
use crate::store_contract;

mod disk;

struct OnDisk {
    disk: Disk,
    store: RedbStore,
}

impl OnDisk {
    fn open(disk: Disk) -> Self {
        let store = RedbStore::from_backend(disk.backend(), Failure::new("the test's disk"), None);
        Self {
            store: store.unwrap(),
            disk,
        }
    }
}

impl Harness for OnDisk {
    type Store = RedbStore;

    async fn fresh() -> Self {
        Self::open(Disk::new())
    }

    fn store(&self) -> RedbStore {
        self.store.clone()
    }

    async fn reopen(self) -> Self {
        drop(self.store);
        self.disk.repair();
        Self::open(self.disk)
    }

    async fn crash(self) -> Result<Self, Self> {
        // What the operating system has, while the process still runs: it never got to close.
        Ok(Self::open(self.disk.as_written()))
    }

    async fn lose_power(self, seed: u64) -> Result<Self, Self> {
        Ok(Self::open(self.disk.as_torn(seed)))
    }

    fn fail_next_commit(&self) -> bool {
        self.disk.break_after(1);
        true
    }
}

store_contract!(OnDisk, #[test], block_on);

fn batch(key: &'static str, value: &'static str) -> Batch {
    let mut batch = Batch::new();
    batch.put(key, value);
    batch
}

#[test]
fn a_full_disk_is_named_and_the_store_wants_to_be_opened_again() {
    // Wherever in the commit the disk is full.
    for writes in 0.. {
        let disk = Disk::new();
        let harness = OnDisk::open(disk.clone());
        block_on(harness.store.commit(batch("a", "1"), Durability::Strict)).unwrap();
        let before = disk.operations();
        disk.break_after(writes);
        let result = block_on(harness.store.commit(batch("b", "2"), Durability::Strict));
        if result.is_ok() {
            assert!(disk.operations() - before <= writes);
            assert!(writes > 2, "a commit writes and syncs");
            return;
        }
        assert!(matches!(result, Err(StoreError::Full(_))), "{result:?}");
        disk.repair();
        let next = block_on(harness.store.commit(batch("c", "3"), Durability::Strict));
        assert!(matches!(next, Err(StoreError::Closed(_))), "{next:?}");
        let harness = block_on(harness.reopen());
        let get = |key: &'static str| block_on(harness.store.get(key.as_bytes())).unwrap();
        assert_eq!(get("a").as_deref(), Some(&b"1"[..]));
        assert_eq!(get("c"), None);
        block_on(harness.store.commit(batch("b", "4"), Durability::Strict)).unwrap();
    }
}

#[test]
fn a_loss_of_power_in_the_middle_of_a_commit_leaves_all_or_nothing_of_it() {
    for operations in 0.. {
        let disk = Disk::new();
        let harness = OnDisk::open(disk.clone());
        let mut first = batch("a", "1");
        first.put("b", "1");
        block_on(harness.store.commit(first, Durability::Strict)).unwrap();
        // The disk stops there, and what it was told since the last sync is lost, torn or kept.
        disk.break_after(operations);
        let mut second = batch("a", "2");
        second.delete("b");
        second.put("c", vec![2; 20_000]);
        let committed = block_on(harness.store.commit(second, Durability::Strict)).is_ok();
        for seed in 0..20 {
            let after = OnDisk::open(disk.as_torn(seed));
            let found = block_on(after.store.scan(Bytes::new()..Bytes::from_static(b"z")));
            let found: Vec<_> = found
                .unwrap()
                .into_iter()
                .map(|(key, value)| (key, value[0]))
                .collect();
            let [a, b, c] = [&b"a"[..], b"b", b"c"].map(Bytes::from_static);
            let old = vec![(a.clone(), b'1'), (b, b'1')];
            let new = vec![(a, b'2'), (c, 2)];
            assert!(
                found == new || (found == old && !committed),
                "{operations} operations, seed {seed}: {found:?}"
            );
        }
        if committed {
            assert!(operations > 3, "a commit writes and syncs");
            return;
        }
    }
}

#[test]
fn batches_that_wait_together_share_a_sync_of_the_disk() {
    let harness = OnDisk::open(Disk::new());
    let before = harness.disk.syncs();
    block_on(harness.store.commit(batch("a", "1"), Durability::Strict)).unwrap();
    let of_one = harness.disk.syncs() - before;
    assert!(of_one >= 1, "a strict commit is synced");

    // The writer hangs in the first batch until the others wait behind it.
    let gate = harness.disk.hold_writes();
    let store = harness.store();
    let commits = (0..100).map(|number: u8| {
        let mut batch = Batch::new();
        batch.put(vec![number], vec![number]);
        let durability = if number.is_multiple_of(2) {
            Durability::Strict
        } else {
            Durability::Relaxed
        };
        store.commit(batch, durability)
    });
    let before = harness.disk.syncs();
    let mut all = join_all(commits);
    // One poll queues them all.
    assert!(futures::FutureExt::now_or_never(&mut all).is_none());
    drop(gate);
    for result in block_on(all) {
        result.unwrap();
    }
    let of_many = harness.disk.syncs() - before;
    assert!(of_many <= 2 * of_one, "{of_many} syncs, {of_one} for one");
    for number in 0..100 {
        assert!(block_on(harness.store.get(&[number])).unwrap().is_some());
    }
}

#[test]
fn a_failure_is_told_to_everyone_in_the_group() {
    let harness = OnDisk::open(Disk::new());
    let gate = harness.disk.hold_writes();
    let store = harness.store();
    let mut all = join_all((0..10).map(|number: u8| {
        let mut batch = Batch::new();
        batch.put(vec![number], vec![number]);
        store.commit(batch, Durability::Strict)
    }));
    assert!(futures::FutureExt::now_or_never(&mut all).is_none());
    harness.disk.break_after(0);
    drop(gate);
    for result in block_on(all) {
        // The first group has the disk's error and those behind it find the store closed.
        assert!(
            matches!(result, Err(StoreError::Full(_) | StoreError::Closed(_))),
            "{result:?}"
        );
    }
    drop(store);
    let harness = block_on(harness.reopen());
    let range = Bytes::new()..Bytes::from_static(&[0xff]);
    assert_eq!(block_on(harness.store.scan(range)).unwrap(), []);
}

#[test]
fn commits_that_nobody_waits_for_are_finished_before_the_store_closes() {
    let harness = OnDisk::open(Disk::new());
    let gate = harness.disk.hold_writes();
    for number in 0..10 {
        let mut batch = Batch::new();
        batch.put(vec![number], vec![number]);
        let commit = harness.store.commit(batch, Durability::Relaxed);
        assert!(futures::FutureExt::now_or_never(commit).is_none());
    }
    drop(gate);
    let harness = block_on(harness.reopen());
    let range = Bytes::new()..Bytes::from_static(&[0xff]);
    assert_eq!(block_on(harness.store.scan(range)).unwrap().len(), 10);
}

#[test]
fn readers_of_a_record_do_not_disturb_who_overwrites_it() {
    struct Sets<'a>(&'a AtomicBool);
    impl Drop for Sets<'_> {
        fn drop(&mut self) {
            self.0.store(true, SeqCst);
        }
    }

    let harness = OnDisk::open(Disk::new());
    let put = |number: u32| {
        let mut batch = Batch::new();
        batch.put("key", number.to_be_bytes().repeat(100));
        block_on(harness.store.commit(batch, Durability::Strict)).unwrap();
    };
    put(0);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(SeqCst) {
                    let value = block_on(harness.store.get(b"key")).unwrap().unwrap();
                    assert!(value.chunks(4).all(|number| number == &value[..4]));
                    let range = Bytes::from_static(b"a")..Bytes::from_static(b"z");
                    let records = block_on(harness.store.scan(range)).unwrap();
                    assert_eq!(records.len(), 1);
                }
            });
        }
        // Set after a failure, too, or the readers would read for ever.
        let _done = Sets(&done);
        for number in 1..=1000 {
            put(number);
        }
    });
}

#[test]
fn the_last_handle_may_be_dropped_by_the_writing_thread() {
    use std::sync::Mutex;
    use std::task::{Context, Wake, Waker};

    /// A task that is thrown away, with the handle in it, when the answer wakes it.
    struct Task {
        commit: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
        thrown_away: AtomicBool,
    }
    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            drop(self.commit.lock().unwrap().take());
            self.thrown_away.store(true, SeqCst);
        }
    }

    let OnDisk { disk, store } = OnDisk::open(Disk::new());
    let gate = disk.hold_writes();
    let mut commit = Box::pin(async move {
        let result = store.commit(batch("a", "1"), Durability::Strict).await;
        result.unwrap();
    });
    let task = Arc::new(Task {
        commit: Mutex::new(None),
        thrown_away: AtomicBool::new(false),
    });
    let waker = Waker::from(Arc::clone(&task));
    let polled = commit.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    *task.commit.lock().unwrap() = Some(commit);
    drop(gate);
    disk.wait_until_closed();
    assert!(
        task.thrown_away.load(SeqCst),
        "the thread waited for itself"
    );
    let harness = OnDisk::open(disk);
    assert!(block_on(harness.store.get(b"a")).unwrap().is_some());
}

fn in_memory(disk: &Disk) -> Result<RedbStore, StoreError> {
    RedbStore::from_backend(disk.backend(), Failure::new("the test's disk"), None)
}

/// The version that a file says it has.
fn version(database: &Database) -> Option<u32> {
    let about = database.begin_read().unwrap().open_table(ABOUT);
    about
        .ok()
        .map(|about| about.get(FORMAT).unwrap().unwrap().value())
}

fn database(disk: &Disk) -> Database {
    let backend = disk.backend();
    Database::builder().create_with_backend(backend).unwrap()
}

#[test]
fn a_file_of_the_version_before_is_carried_up_with_all_it_has() {
    let disk = Disk::new();
    let old = database(&disk);
    let write = old.begin_write().unwrap();
    {
        let mut records = write.open_table(RECORDS).unwrap();
        records.insert(&b"key"[..], &b"value"[..]).unwrap();
    }
    write.commit().unwrap();
    assert_eq!(version(&old), None);
    drop(old);

    for _ in 0..2 {
        let store = in_memory(&disk).unwrap();
        let value = block_on(store.get(b"key")).unwrap();
        assert_eq!(value.as_deref(), Some(&b"value"[..]));
        drop(store);
        assert_eq!(version(&database(&disk)), Some(VERSION));
    }
}

#[test]
fn a_file_of_a_later_version_is_refused_and_stays_as_it_is() {
    let disk = Disk::new();
    drop(in_memory(&disk).unwrap());
    let later = database(&disk);
    let write = later.begin_write().unwrap();
    {
        let mut about = write.open_table(ABOUT).unwrap();
        about.insert(FORMAT, VERSION + 1).unwrap();
    }
    write.commit().unwrap();
    drop(later);

    for _ in 0..2 {
        let error = in_memory(&disk).unwrap_err();
        assert_eq!(error, StoreError::Newer("the test's disk".to_owned()));
        let sentence = error.to_string();
        assert!(sentence.contains("newer version of hustings"), "{sentence}");
    }
    assert_eq!(version(&database(&disk)), Some(VERSION + 1));
}

#[test]
fn a_creation_that_was_interrupted_anywhere_is_begun_anew() {
    let directory = tempfile::TempDir::new().unwrap();
    let path = directory.path().join("store.redb");
    let failure = Failure::new("store.redb");
    let mut stuck = 0;
    for operations in 0.. {
        let disk = Disk::new();
        disk.break_after(operations);
        if in_memory(&disk).is_ok() {
            assert!(operations > 5, "it takes more than that");
            break;
        }
        let image = disk.as_written();
        // In its place it would be damage for ever, and nobody could say that nothing is lost.
        stuck += u32::from(matches!(in_memory(&image), Err(StoreError::Corrupt { .. })));

        let stopped = StoreError::Io("the process ends here".to_owned());
        let made = place::create(&path, &failure, |new| {
            std::fs::write(new, image.bytes()).unwrap();
            Err(stopped.clone())
        });
        assert_eq!(made, Err(stopped));
        assert!(!path.exists(), "after {operations} operations");
        drop(RedbStore::open(&path).unwrap());
        std::fs::remove_file(&path).unwrap();
    }
    assert!(stuck > 0, "there is nothing to be careful about");
}

#[test]
fn a_file_that_somebody_else_makes_meanwhile_stays() {
    let directory = tempfile::TempDir::new().unwrap();
    let path = directory.path().join("store.redb");
    let made = place::create(&path, &Failure::new("store.redb"), |new| {
        std::fs::write(new, "mine").unwrap();
        std::fs::write(&path, "theirs").unwrap();
        Ok(())
    });
    assert_eq!(made, Ok(()));
    assert_eq!(std::fs::read(&path).unwrap(), b"theirs");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}

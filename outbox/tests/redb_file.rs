//! The redb store in real files.

#![cfg(all(feature = "redb", not(target_family = "wasm")))]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::path::PathBuf;
use std::thread;

use bytes::Bytes;
use futures::executor::block_on;
use hustings_outbox::contract::Harness;
use hustings_outbox::{Batch, Durability, RedbStore, Store, StoreError, store_contract};
use tempfile::TempDir;

struct InFile {
    directory: TempDir,
    path: PathBuf,
    store: RedbStore,
}

impl InFile {
    fn open(directory: TempDir, path: PathBuf) -> Self {
        Self {
            store: RedbStore::open(&path).unwrap(),
            directory,
            path,
        }
    }
}

impl Harness for InFile {
    type Store = RedbStore;

    async fn fresh() -> Self {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("0.redb");
        Self::open(directory, path)
    }

    fn store(&self) -> RedbStore {
        self.store.clone()
    }

    async fn reopen(self) -> Self {
        drop(self.store);
        Self::open(self.directory, self.path)
    }

    async fn crash(self) -> Result<Self, Self> {
        // The file as it is while the store is open is what a crash leaves.
        let number = fs::read_dir(self.directory.path()).unwrap().count();
        let image = self.directory.path().join(format!("{number}.redb"));
        fs::copy(&self.path, &image).unwrap();
        drop(self.store);
        Ok(Self::open(self.directory, image))
    }

    async fn lose_power(self, _seed: u64) -> Result<Self, Self> {
        // A file on a disk that a test can take the power from is in the crate's own tests.
        Err(self)
    }
}

store_contract!(InFile, #[test], block_on);

fn everything(store: &RedbStore) -> Vec<(Bytes, Bytes)> {
    block_on(store.scan(Bytes::new()..Bytes::from_static(&[0xff; 4]))).unwrap()
}

fn put(store: &RedbStore, key: &'static str, value: impl Into<Bytes>) {
    let mut batch = Batch::new();
    batch.put(key, value);
    block_on(store.commit(batch, Durability::Strict)).unwrap();
}

#[test]
fn a_store_is_a_new_file_or_the_one_that_is_there() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store.redb");
    put(&RedbStore::open(&path).unwrap(), "key", "value");
    // The handle was dropped: the file can be opened at once, again and again.
    for _ in 0..5 {
        assert_eq!(everything(&RedbStore::open(&path).unwrap()).len(), 1);
    }
    let nowhere = RedbStore::open(directory.path().join("none").join("store.redb"));
    let Err(StoreError::Io(sentence)) = nowhere else {
        panic!("{nowhere:?}");
    };
    assert!(sentence.contains("none"), "{sentence}");
}

#[test]
fn a_second_store_on_the_same_file_is_refused_until_the_last_handle_is_gone() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store.redb");
    let first = RedbStore::open(&path).unwrap();
    let handle = first.clone();
    drop(first);
    let second = RedbStore::open(&path);
    let Err(error @ StoreError::Locked(_)) = second else {
        panic!("{second:?}");
    };
    let expected = format!("{} is in use by another process", path.display());
    assert_eq!(error.to_string(), expected);
    put(&handle, "key", "the refused one did no harm");
    drop(handle);
    assert_eq!(everything(&RedbStore::open(&path).unwrap()).len(), 1);
}

#[test]
fn threads_commit_and_read_through_one_store() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store.redb");
    let store = RedbStore::open(&path).unwrap();
    thread::scope(|scope| {
        for thread in 0..8_u8 {
            let store = store.clone();
            scope.spawn(move || {
                for number in 0..20_u8 {
                    let mut batch = Batch::new();
                    batch.put(vec![thread, number], vec![number]);
                    batch.put(vec![thread], vec![number]);
                    block_on(store.commit(batch, Durability::Strict)).unwrap();
                    let last = block_on(store.get(&[thread])).unwrap().unwrap();
                    assert_eq!(last[..], [number]);
                }
            });
        }
    });
    drop(store);
    assert_eq!(everything(&RedbStore::open(&path).unwrap()).len(), 8 * 21);
}

#[cfg(unix)]
#[test]
fn the_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;

    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store.redb");
    let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    let chmod = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    put(&RedbStore::open(&path).unwrap(), "key", "value");
    assert_eq!(mode(), 0o600);
    for wide in [0o644, 0o640, 0o602] {
        chmod(wide);
        let refused = RedbStore::open(&path);
        let Err(StoreError::Io(sentence)) = refused else {
            panic!("{refused:?}");
        };
        assert!(sentence.contains("chmod 600"), "{sentence}");
        assert_eq!(mode(), wide, "it is left as it is");
    }
    chmod(0o600);
    assert_eq!(everything(&RedbStore::open(&path).unwrap()).len(), 1);
}

#[test]
fn a_file_that_is_no_store_is_named_and_left_alone() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store.redb");
    for content in [
        &b"x"[..],
        &[0; 5000],
        &b"a letter to somebody\n".repeat(400),
    ] {
        let _ = fs::remove_file(&path);
        drop(RedbStore::open(&path).unwrap());
        fs::write(&path, content).unwrap();
        let refused = RedbStore::open(&path);
        let Err(StoreError::Corrupt { record, .. }) = refused else {
            panic!("{refused:?}");
        };
        assert!(record.contains("store.redb"), "{record}");
        assert_eq!(fs::read(&path).unwrap(), content);
    }
}

#[test]
fn damage_is_an_error_and_never_another_content() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store.redb");
    let store = RedbStore::open(&path).unwrap();
    for key in ["a", "b", "c", "d"] {
        put(&store, key, key.repeat(3000));
    }
    let before = everything(&store);
    drop(store);
    let image = fs::read(&path).unwrap();

    let mut refused = 0;
    let mut check = |damaged: &[u8], what: &str| {
        fs::write(&path, damaged).unwrap();
        match RedbStore::open(&path) {
            // What was hit is not in use.
            Ok(store) => assert_eq!(everything(&store), before, "{what}"),
            Err(error) => {
                refused += 1;
                let named = error.to_string().contains("store.redb");
                assert!(named, "{what}: {error}");
            }
        }
    };
    // Bits of the header and of every page, at a different place in each.
    let pages = (0..image.len()).step_by(4096);
    for (index, start) in pages.enumerate().take(60) {
        for place in [index * 7 % 64, (index * 977 + 64) % 4096] {
            let mut damaged = image.clone();
            damaged[start + place] ^= 1 << (index % 8);
            check(&damaged, &format!("byte {}", start + place));
        }
    }
    for place in 0..64 {
        let mut damaged = image.clone();
        damaged[place * 5] ^= 0x10;
        check(&damaged, &format!("byte {}", place * 5));
    }
    for len in [
        10,
        4096,
        image.len() / 2,
        image.len() - 4096,
        image.len() - 1,
    ] {
        check(&image[..len], &format!("the first {len} bytes"));
    }
    assert!(refused > 10, "only {refused} damages were found");
}

#[cfg(unix)]
#[test]
fn a_file_that_was_deleted_or_replaced_takes_no_more_commits() {
    use hustings_protocol::planted::{self, Fault};

    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store.redb");
    let deleted = Err(StoreError::Deleted(path.display().to_string()));
    let commit = |store: &RedbStore, durability| {
        let mut batch = Batch::new();
        batch.put("key", "value");
        block_on(store.commit(batch, durability))
    };

    // Deleted, and then made anew by somebody else.
    let store = RedbStore::open(&path).unwrap();
    assert_eq!(commit(&store, Durability::Strict), Ok(()));
    fs::remove_file(&path).unwrap();
    assert_eq!(commit(&store, Durability::Strict), deleted);
    let other = RedbStore::open(&path).unwrap();
    assert_eq!(everything(&other), []);
    for durability in [Durability::Strict, Durability::Relaxed] {
        assert_eq!(commit(&store, durability), deleted);
        assert_eq!(commit(&store.clone(), durability), deleted);
    }
    let sentence = commit(&store, Durability::Strict).unwrap_err().to_string();
    assert!(sentence.starts_with("the stored data was deleted while it was open"));
    assert_eq!(everything(&other), []);
    assert_eq!(commit(&other, Durability::Strict), Ok(()));

    // Moved away, and a copy put in its place.
    let moved = directory.path().join("moved.redb");
    fs::rename(&path, &moved).unwrap();
    fs::copy(&moved, &path).unwrap();
    assert_eq!(commit(&other, Durability::Strict), deleted);
    fs::rename(&moved, &path).unwrap();
    assert_eq!(
        commit(&other, Durability::Strict),
        Ok(()),
        "it is there again"
    );

    // As it was: an acknowledgement for what nobody ever finds.
    fs::remove_file(&path).unwrap();
    let silent = planted::with(Some(Fault::BornAgain), || {
        commit(&other, Durability::Strict)
    });
    assert_eq!(silent, Ok(()));
    drop(other);
    assert_eq!(everything(&RedbStore::open(&path).unwrap()), []);
}

#[test]
fn a_new_file_stands_alone_in_its_directory() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store.redb");
    // What an interrupted creation leaves, which is no store and in nobody's way.
    let left = directory.path().join("store.redb.new0123456789abcdef");
    fs::write(&left, [7; 5000]).unwrap();
    for _ in 0..2 {
        put(&RedbStore::open(&path).unwrap(), "key", "value");
        let mut names: Vec<_> = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        names.sort();
        assert_eq!(names, [path.clone(), left.clone()]);
    }
}

#[test]
fn threads_that_make_the_same_file_get_one_store() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store.redb");
    let stores: Vec<_> = thread::scope(|scope| {
        let open = || {
            scope.spawn(|| match RedbStore::open(&path) {
                Ok(store) => {
                    put(&store, "key", "value");
                    Some(store)
                }
                Err(StoreError::Locked(_)) => None,
                Err(other) => panic!("{other}"),
            })
        };
        let threads: Vec<_> = (0..4).map(|_| open()).collect();
        threads
            .into_iter()
            .filter_map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(stores.len(), 1, "the others found it locked");
    drop(stores);
    assert_eq!(everything(&RedbStore::open(&path).unwrap()).len(), 1);
}

/// Fills a store with records of a kibibyte and removes most of them again. Those that stay are
/// everywhere in the file, so that its end alone cannot be cut off.
fn fill_and_empty(store: &RedbStore, records: u32) {
    let mut batch = Batch::new();
    for number in 0..records {
        batch.put(number.to_be_bytes().to_vec(), vec![7; 1024]);
    }
    block_on(store.commit(batch, Durability::Strict)).unwrap();
    let mut batch = Batch::new();
    for number in (0..records).filter(|number| !number.is_multiple_of(100)) {
        batch.delete(number.to_be_bytes().to_vec());
    }
    block_on(store.commit(batch, Durability::Strict)).unwrap();
}

#[test]
fn a_file_that_is_mostly_empty_shrinks_when_it_is_opened() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store.redb");
    let bytes = || fs::metadata(&path).unwrap().len();
    let store = RedbStore::open(&path).unwrap();
    fill_and_empty(&store, 20_000);
    let before = everything(&store);
    drop(store);
    assert!(bytes() > 20 << 20, "{}", bytes());
    let store = RedbStore::open(&path).unwrap();
    assert_eq!(everything(&store), before);
    drop(store);
    assert!(bytes() < 5 << 20, "{}", bytes());
}

#[test]
fn a_store_is_made_smaller_while_it_is_in_use() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store.redb");
    let bytes = || fs::metadata(&path).unwrap().len();
    let store = RedbStore::open(&path).unwrap();
    fill_and_empty(&store, 6000);
    let before = everything(&store);
    let large = bytes();
    thread::scope(|scope| {
        for thread in 0..3_u8 {
            let store = store.clone();
            scope.spawn(move || {
                for number in 0..50_u8 {
                    let mut batch = Batch::new();
                    batch.put(vec![9, thread], vec![number]);
                    block_on(store.commit(batch, Durability::Strict)).unwrap();
                    assert!(block_on(store.get(&[9, thread])).unwrap().is_some());
                }
            });
        }
        assert_eq!(store.compact(), Ok(true));
    });
    assert!(bytes() < large / 2, "{} of {large}", bytes());
    let mut after = everything(&store);
    assert_eq!(after.len(), before.len() + 3);
    after.truncate(before.len());
    assert_eq!(after, before);
    drop(store);
    assert_eq!(everything(&RedbStore::open(&path).unwrap()).len(), 63);
}

#[test]
fn a_range_that_ends_before_it_begins_is_empty() {
    let directory = TempDir::new().unwrap();
    let store = RedbStore::open(directory.path().join("store.redb")).unwrap();
    for key in ["a", "b", "c"] {
        put(&store, key, "value");
    }
    for (start, end) in [("c", "a"), ("b", "b")] {
        let mut batch = Batch::new();
        batch.delete_range(Bytes::from(start)..Bytes::from(end));
        block_on(store.commit(batch, Durability::Strict)).unwrap();
        assert_eq!(everything(&store).len(), 3);
    }
}

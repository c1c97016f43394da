//! An ordered map from bytes to bytes.

use bytes::Bytes;

use super::{Harness, commit, contents, everything, get, put};
use crate::{Batch, Durability, Store};

/// The life of one record.
pub async fn a_value_is_put_overwritten_and_deleted<H: Harness>() {
    let harness = H::fresh().await;
    let store = harness.store();
    assert_eq!(get(&store, b"key").await, None);
    put(&store, b"key", b"one", Durability::Relaxed).await;
    assert_eq!(get(&store, b"key").await.as_deref(), Some(&b"one"[..]));
    put(&store, b"key", b"another", Durability::Strict).await;
    assert_eq!(get(&store, b"key").await.as_deref(), Some(&b"another"[..]));
    put(&store, b"key2", b"", Durability::Relaxed).await;
    assert_eq!(contents(&store).await.len(), 2);
    let mut batch = Batch::new();
    batch.delete(&b"key"[..]);
    batch.delete(&b"never there"[..]);
    commit(&store, batch, Durability::Relaxed).await;
    assert_eq!(get(&store, b"key").await, None);
    let empty = get(&store, b"key2").await;
    assert_eq!(empty, Some(Bytes::new()), "an empty value is a record");
}

/// Scans and range deletes take the start and leave the end, in the order of byte strings.
pub async fn a_range_is_half_open_and_ordered<H: Harness>() {
    let harness = H::fresh().await;
    let store = harness.store();
    let mut batch = Batch::new();
    for key in [&b"d"[..], b"b", b"aa", b"c", b"a", b"ab", b"B"] {
        batch.put(key, key);
    }
    commit(&store, batch, Durability::Relaxed).await;

    let keys = async |start: &'static [u8], end: &'static [u8]| {
        let records = store
            .scan(Bytes::from_static(start)..Bytes::from_static(end))
            .await
            .expect("a scan succeeds");
        records
            .into_iter()
            .map(|(key, value)| {
                assert_eq!(key, value, "a value stays with its key");
                key
            })
            .collect::<Vec<_>>()
    };
    let all = keys(b"", b"z").await;
    assert_eq!(all, [&b"B"[..], b"a", b"aa", b"ab", b"b", b"c", b"d"]);
    assert_eq!(keys(b"aa", b"c").await, [&b"aa"[..], b"ab", b"b"]);
    assert_eq!(keys(b"aaa", b"bz").await, [&b"ab"[..], b"b"]);

    let mut batch = Batch::new();
    batch.delete_range(Bytes::from_static(b"aa")..Bytes::from_static(b"c"));
    commit(&store, batch, Durability::Relaxed).await;
    assert_eq!(keys(b"", b"z").await, [&b"B"[..], b"a", b"c", b"d"]);
}

/// An empty or inverted range is neither an error nor a panic.
pub async fn an_empty_or_inverted_range_has_nothing<H: Harness>() {
    let harness = H::fresh().await;
    let store = harness.store();
    for key in [&b"a"[..], b"b", b"c"] {
        put(&store, key, b"", Durability::Relaxed).await;
    }
    let (a, b, c) = (
        Bytes::from_static(b"a"),
        Bytes::from_static(b"b"),
        Bytes::from_static(b"c"),
    );
    for range in [b.clone()..b.clone(), c..a, Bytes::new()..Bytes::new()] {
        let records = store.scan(range.clone()).await.expect("a scan succeeds");
        assert_eq!(records, []);
        let mut batch = Batch::new();
        batch.delete_range(range);
        commit(&store, batch, Durability::Relaxed).await;
        assert_eq!(contents(&store).await.len(), 3);
    }
}

/// Several ranges are scanned as each of them alone is, in their order, also where they overlap.
pub async fn several_ranges_are_each_scanned<H: Harness>() {
    let harness = H::fresh().await;
    let store = harness.store();
    for key in [&b"a"[..], b"b", b"c"] {
        put(&store, key, key, Durability::Relaxed).await;
    }
    let range = |start: &'static str, end: &'static str| start.into()..end.into();
    let ranges = vec![
        range("b", "z"),
        range("d", "e"),
        range("z", "a"),
        range("a", "c"),
    ];
    let found = store.scan_each(ranges.clone()).await;
    let found = found.expect("a scan succeeds");
    let lens: Vec<_> = found.iter().map(Vec::len).collect();
    assert_eq!(lens, [2, 0, 0, 2]);
    for (found, range) in found.into_iter().zip(ranges) {
        assert_eq!(found, store.scan(range).await.expect("a scan succeeds"));
    }
    let none = store.scan_each(Vec::new()).await;
    assert_eq!(none.expect("there is nothing to scan").len(), 0);
}

/// No byte has a special meaning, neither in a key nor in a value.
pub async fn keys_and_values_are_any_bytes<H: Harness>() {
    let harness = H::fresh().await;
    let store = harness.store();
    let mut keys: Vec<Bytes> = (0..=u8::MAX)
        .map(|byte| Bytes::copy_from_slice(&[byte]))
        .collect();
    keys.extend([
        Bytes::new(),
        Bytes::from_static(&[0, 0]),
        Bytes::from_static(&[0, 0xff]),
        Bytes::from_static(&[0x7f, 0, 0x80]),
        Bytes::from_static(&[0xc3, 0x28]),
        Bytes::from_static(&[0xff, 0]),
        Bytes::from_static(&[0xff, 0xff, 0xff]),
    ]);
    let mut batch = Batch::new();
    for key in &keys {
        batch.put(key.clone(), key.clone());
    }
    commit(&store, batch, Durability::Relaxed).await;
    keys.sort();
    let records = store.scan(everything()).await.expect("a scan succeeds");
    let expected: Vec<_> = keys.iter().map(|key| (key.clone(), key.clone())).collect();
    assert_eq!(records, expected);
    for key in keys {
        let value = store.get(&key).await.expect("a get succeeds");
        assert_eq!(value, Some(key));
    }
}

/// Values are as large as a snapshot may be.
pub async fn a_megabyte_comes_back<H: Harness>() {
    let mut harness = H::fresh().await;
    let value: Bytes = (0..1_u32 << 20)
        .map(|index| u8::try_from(index % 251).expect("a remainder of 251 is a byte"))
        .collect();
    let mut batch = Batch::new();
    batch.put(&b"large"[..], value.clone());
    batch.put(&b"small"[..], &b"1"[..]);
    commit(&harness.store(), batch, Durability::Strict).await;
    assert_eq!(get(&harness.store(), b"large").await.as_ref(), Some(&value));
    harness = harness.reopen().await;
    let store = harness.store();
    assert_eq!(get(&store, b"large").await, Some(value));
    put(&store, b"large", b"2", Durability::Strict).await;
    assert_eq!(get(&store, b"large").await.as_deref(), Some(&b"2"[..]));
    assert_eq!(get(&store, b"small").await.as_deref(), Some(&b"1"[..]));
}

/// A batch without changes is not an error.
pub async fn an_empty_batch_is_committed<H: Harness>() {
    let harness = H::fresh().await;
    let store = harness.store();
    for durability in [Durability::Relaxed, Durability::Strict] {
        commit(&store, Batch::new(), durability).await;
        assert!(contents(&store).await.is_empty());
    }
}

/// Later changes of a batch see the earlier ones.
pub async fn a_batch_is_applied_in_its_order<H: Harness>() {
    let harness = H::fresh().await;
    let store = harness.store();
    put(&store, b"a", b"0", Durability::Relaxed).await;
    let range = Bytes::from_static(b"b")..Bytes::from_static(b"d");
    let mut batch = Batch::new();
    // Put, then deleted.
    batch.put(&b"gone"[..], &b"1"[..]);
    batch.delete(&b"gone"[..]);
    // Deleted, then put.
    batch.delete(&b"a"[..]);
    batch.put(&b"a"[..], &b"2"[..]);
    // Put twice.
    batch.put(&b"e"[..], &b"3"[..]);
    batch.put(&b"e"[..], &b"4"[..]);
    // Put before and after its range is deleted.
    batch.put(&b"b"[..], &b"5"[..]);
    batch.put(&b"c"[..], &b"6"[..]);
    batch.delete_range(range.clone());
    batch.put(&b"c"[..], &b"7"[..]);
    // Deleted with its range right after it was put.
    batch.put(&b"x"[..], &b"8"[..]);
    batch.delete_range(Bytes::from_static(b"x")..Bytes::from_static(b"y"));
    commit(&store, batch, Durability::Relaxed).await;
    let found: Vec<_> = contents(&store).await.into_iter().collect();
    let expected = [(&b"a"[..], &b"2"[..]), (b"c", b"7"), (b"e", b"4")]
        .map(|(key, value)| (Bytes::from_static(key), Bytes::from_static(value)));
    assert_eq!(found, expected);
}

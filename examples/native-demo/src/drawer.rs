//! One file for many participants.

use std::ops::Range;

use async_trait::async_trait;
use bytes::{BufMut, Bytes, BytesMut};
use hustings_outbox::{Batch, Durability, Store, StoreError, Write};

/// A part of a store, under a prefix of its own.
///
/// In earnest every participant has a disk of their own. Here a thousand of them share one file, so
/// that what they commit at the same time shares one sync.
#[derive(Debug, Clone)]
pub(crate) struct Drawer<S> {
    prefix: Bytes,
    cabinet: S,
}

impl<S: Store> Drawer<S> {
    /// The drawer with this number.
    pub(crate) fn new(cabinet: S, number: u32) -> Self {
        Self {
            prefix: Bytes::copy_from_slice(&number.to_be_bytes()),
            cabinet,
        }
    }

    fn inside(&self, key: &[u8]) -> Bytes {
        let mut inside = BytesMut::with_capacity(self.prefix.len() + key.len());
        inside.put_slice(&self.prefix);
        inside.put_slice(key);
        inside.freeze()
    }

    fn range_inside(&self, range: &Range<Bytes>) -> Range<Bytes> {
        self.inside(&range.start)..self.inside(&range.end)
    }
}

#[async_trait]
impl<S: Store> Store for Drawer<S> {
    async fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.cabinet.get(&self.inside(key)).await
    }

    async fn scan(&self, range: Range<Bytes>) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        let mut records = self.cabinet.scan(self.range_inside(&range)).await?;
        for (key, _) in &mut records {
            *key = key.slice(self.prefix.len()..);
        }
        Ok(records)
    }

    async fn commit(&self, batch: Batch, durability: Durability) -> Result<(), StoreError> {
        let mut inside = Batch::new();
        for write in batch.into_writes() {
            match write {
                Write::Put { key, value } => inside.put(self.inside(&key), value),
                Write::Delete { key } => inside.delete(self.inside(&key)),
                Write::DeleteRange { range } => inside.delete_range(self.range_inside(&range)),
            }
        }
        self.cabinet.commit(inside, durability).await
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use hustings_outbox::MemoryStore;

    use super::*;

    #[test]
    fn a_drawer_holds_only_what_was_put_into_it() {
        let cabinet = MemoryStore::new();
        let [one, two] = [1, 2].map(|number| Drawer::new(cabinet.clone(), number));
        let all = || Bytes::new()..Bytes::from_static(&[0xff]);
        block_on(async {
            for (drawer, value) in [(&one, "of one"), (&two, "of two")] {
                let mut batch = Batch::new();
                batch.put(
                    Bytes::from_static(b"key"),
                    Bytes::from_static(value.as_bytes()),
                );
                drawer.commit(batch, Durability::Strict).await.unwrap();
            }
            let mut batch = Batch::new();
            batch.delete_range(all());
            two.commit(batch, Durability::Strict).await.unwrap();

            let key = Bytes::from_static(b"key");
            let value = Bytes::from_static(b"of one");
            assert_eq!(one.get(&key).await.unwrap(), Some(value.clone()));
            assert_eq!(one.scan(all()).await.unwrap(), [(key.clone(), value)]);
            assert_eq!(two.get(&key).await.unwrap(), None);
        });
    }
}

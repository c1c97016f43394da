//! The contract of every store.

use hustings_outbox::contract::Harness;
use hustings_outbox::{IndexedDbStore, store_contract};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::page::{Broken, unique_name};

struct IndexedDb {
    name: String,
    store: IndexedDbStore,
}

impl IndexedDb {
    async fn open(name: String) -> Self {
        let store = IndexedDbStore::open(&name).await.unwrap();
        Self { name, store }
    }
}

impl Harness for IndexedDb {
    type Store = IndexedDbStore;

    async fn fresh() -> Self {
        Self::open(unique_name()).await
    }

    fn store(&self) -> IndexedDbStore {
        self.store.clone()
    }

    async fn reopen(self) -> Self {
        drop(self.store);
        Self::open(self.name).await
    }

    /// A page does not survive its own end. Browsers' own tests show that they keep to the
    /// durability that they were asked for, and `indexeddb.rs` that they were asked.
    async fn crash(self) -> Result<Self, Self> {
        Err(self)
    }

    async fn lose_power(self, _seed: u64) -> Result<Self, Self> {
        Err(self)
    }

    fn fail_next_commit(&self) -> bool {
        // The one that breaks it mends it, too.
        let once = "Object.defineProperty(
                IDBTransaction.prototype, 'commit', { configurable: true, value: original });
            this.abort();";
        std::mem::forget(Broken::method("IDBTransaction.prototype", "commit", once));
        true
    }
}

store_contract!(IndexedDb, #[wasm_bindgen_test], async);

//! A store in a browser's IndexedDB.

mod connection;
mod errors;
mod quota;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::rc::Rc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::FutureExt;
use futures::lock::Mutex;
use hustings_protocol::planted::{self, Fault};
use indexed_db_futures::iter::ArrayMapIter;
use indexed_db_futures::object_store::ObjectStore;
use indexed_db_futures::prelude::*;
use indexed_db_futures::transaction::{
    Transaction, TransactionDurability, TransactionMode, TransactionOptions,
};
use indexed_db_futures::{KeyRange, internals::SystemRepr};
use js_sys::{ArrayBuffer, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};

pub use self::quota::StorageEstimate;

use self::connection::{Birth, Connection};
use self::errors::{io, of_transaction};
use crate::browser::in_time;
use crate::identity::random;
use crate::keys::corrupt;
use crate::{Batch, Durability, Store, StoreError, Write};

/// The object store that has every record: binary keys, which IndexedDB orders bytewise, and
/// `Uint8Array`s as values.
const RECORDS: &str = "records";

/// A database of the page's origin.
///
/// A clone is another handle of the same connection. Several tabs may have the same database open;
/// IndexedDB orders their transactions. [`Slot`](crate::Slot)s give each tab its own part of the
/// data that tabs must not share.
///
/// - A commit is one transaction with an explicit durability: the default of browsers is
///   [`Relaxed`](Durability::Relaxed), or changes with their versions.
/// - When another tab wants to upgrade or delete the database, this one closes it: running
///   transactions finish, and every later call is [`StoreError::Closed`], or
///   [`StoreError::Deleted`].
/// - An opening, the first or a later one, has ten seconds. Reads and commits have no such bound: a
///   slow disk looks the same, and an error would leave open what has become of the commit.
/// - When the browser closes the connection (Safari loses its database server now and then), it is
///   opened again, once for each call that needs it. If the data is gone too, because the user or
///   the browser cleared it, the handles end with [`StoreError::Deleted`], even if another tab has
///   made the database anew by then: to continue with an empty store would be to forget silently.
///
/// Browsers may delete the data of a site if the disk is full, or if the site was not visited for a
/// while, unless they granted [`persist`](Self::persist).
#[derive(Clone)]
pub struct IndexedDbStore {
    shared: Rc<Shared>,
}

struct Shared {
    name: String,
    birth: BirthId,
    state: RefCell<State>,
    /// Held while the database is opened again, so that several calls open it once.
    reopening: Mutex<()>,
}

enum State {
    Open(Rc<Connection>),
    /// Only a new store will help.
    Ended(StoreError),
}

impl IndexedDbStore {
    /// Opens a database; makes it if there is none.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if the browser stores nothing for this page,
    /// [`StoreError::Blocked`] if another tab with an older version of the program does not close
    /// the database, [`StoreError::Newer`] if the database is of a newer version, and
    /// [`StoreError::Unanswered`] if the browser does not answer for ten seconds.
    pub async fn open(name: &str) -> Result<Self, StoreError> {
        let (connection, _) = Connection::open(name).await?;
        let birth = in_time(async {
            match connection.birth_id().await? {
                Some(birth) => Ok(birth),
                None => connection.be_born().await,
            }
        });
        let unanswered = || StoreError::Unanswered(format!("the database {name}"));
        let birth = birth.await.ok_or_else(unanswered)??;
        Ok(Self {
            shared: Rc::new(Shared {
                name: name.to_owned(),
                birth,
                state: RefCell::new(State::Open(Rc::new(connection))),
                reopening: Mutex::new(()),
            }),
        })
    }

    /// Asks the browser to keep this site's data until the user deletes it. Firefox asks the user;
    /// others decide by themselves. `false` if it was not granted.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if the browser has no such function here.
    pub async fn persist() -> Result<bool, StoreError> {
        quota::persist().await
    }

    /// The disk space that this site uses and may use, roughly: browsers blur the numbers.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if the browser has no such function here.
    pub async fn estimate() -> Result<StorageEstimate, StoreError> {
        quota::estimate().await
    }
}

impl fmt::Debug for IndexedDbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IndexedDbStore")
            .field("name", &self.shared.name)
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// The connection, opened again if the browser took it away.
    async fn connection(&self) -> Result<Rc<Connection>, StoreError> {
        if let Some(connection) = self.usable()? {
            return Ok(connection);
        }
        let _one_at_a_time = self.reopening.lock().await;
        // Another call may have opened it meanwhile.
        if let Some(connection) = self.usable()? {
            return Ok(connection);
        }
        let (connection, birth) = Connection::open(&self.name).await?;
        // Somebody else may have made it anew, too.
        let is_the_same = match birth {
            Birth::Made => false,
            Birth::Found if planted::is_on(Fault::BornAgain) => true,
            Birth::Found => {
                let unanswered = || StoreError::Unanswered(format!("the database {}", self.name));
                let birth = in_time(connection.birth_id()).await;
                birth.ok_or_else(unanswered)?? == Some(self.birth)
            }
        };
        if !is_the_same {
            // The new and empty database stays for the next opening of the store.
            let name = format!("the database {}", self.name);
            return Err(self.end(StoreError::Deleted(name)));
        }
        let connection = Rc::new(connection);
        self.state.replace(State::Open(Rc::clone(&connection)));
        Ok(connection)
    }

    /// The connection if it can be used; `None` if it was lost and can be opened again.
    fn usable(&self) -> Result<Option<Rc<Connection>>, StoreError> {
        let error = match &*self.state.borrow() {
            State::Ended(error) => return Err(error.clone()),
            State::Open(connection) if connection.is_lost() => return Ok(None),
            State::Open(connection) => match connection.given_up(&self.name) {
                None => return Ok(Some(Rc::clone(connection))),
                Some(error) => error,
            },
        };
        Err(self.end(error))
    }

    fn end(&self, error: StoreError) -> StoreError {
        self.state.replace(State::Ended(error.clone()));
        error
    }

    /// Does `work` in a transaction. If the connection turns out to be lost, tries once more on a
    /// new one: nothing has been done by then.
    async fn with_transaction<T>(
        &self,
        work: impl AsyncFn(&Connection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let mut tried = false;
        loop {
            let connection = self.connection().await?;
            match work(&connection).await {
                Ok(done) => return Ok(done),
                Err(Failure::Store(error)) => return Err(error),
                Err(Failure::NotStarted(error)) => {
                    connection.lose();
                    if std::mem::replace(&mut tried, true) {
                        return Err(StoreError::Closed(error.to_string()));
                    }
                }
            }
        }
    }
}

/// A random number that a database gets when it is made, and keeps as long as it lives: one of the
/// same name with another number is another database.
type BirthId = [u8; 16];

/// The key of the birth id. Number keys are in no range of binary keys, so no scan finds it.
const BIRTH: u32 = 1;

/// The reason why a transaction did nothing.
enum Failure {
    /// The connection is gone: there is no transaction.
    NotStarted(indexed_db_futures::error::Error),
    Store(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Connection {
    fn read(&self) -> Result<Transaction<'_>, Failure> {
        self.database()
            .transaction(RECORDS)
            .with_mode(TransactionMode::Readonly)
            .build()
            .map_err(Failure::NotStarted)
    }

    fn write(&self, durability: Durability) -> Result<Transaction<'_>, Failure> {
        let durability = match durability {
            Durability::Strict => TransactionDurability::Strict,
            Durability::Relaxed => TransactionDurability::Relaxed,
        };
        self.database()
            .transaction(RECORDS)
            .with_mode(TransactionMode::Readwrite)
            .with_options(TransactionOptions::new().with_durability(durability))
            .build()
            .map_err(Failure::NotStarted)
    }

    /// The database's birth id; `None` if it has none yet.
    async fn birth_id(&self) -> Result<Option<BirthId>, StoreError> {
        let transaction = self.read().map_err(not_opened)?;
        let records = transaction.object_store(RECORDS).map_err(io)?;
        read_birth_id(&records).await
    }

    /// Gives the database a birth id, unless another tab has just done so.
    async fn be_born(&self) -> Result<BirthId, StoreError> {
        let new: BirthId = random()?;
        let transaction = self.write(Durability::Strict).map_err(not_opened)?;
        {
            // Nothing else is awaited in the transaction, so no other tab comes between.
            let records = transaction.object_store(RECORDS).map_err(io)?;
            if let Some(birth) = read_birth_id(&records).await? {
                return Ok(birth);
            }
            drop(records.put(js(&new)).with_key(BIRTH).build().map_err(io)?);
        }
        let raw = transaction.as_sys().clone();
        let committed = transaction.commit().await;
        committed.map_err(|error| of_transaction(&raw, error))?;
        Ok(new)
    }
}

async fn read_birth_id(records: &ObjectStore<'_>) -> Result<Option<BirthId>, StoreError> {
    let key = JsValue::from(BIRTH);
    let request = records.get::<JsValue, _, _>(key.clone());
    let value = request.primitive().map_err(io)?.await.map_err(io)?;
    let Some(value) = value.filter(|value| !value.is_undefined()) else {
        return Ok(None);
    };
    let damaged = || corrupt("the database's birth id", "it must have 16 bytes");
    let found = bytes(&key, &value).map_err(|_| damaged())?;
    let birth = found.as_ref().try_into().map_err(|_| damaged())?;
    Ok(Some(birth))
}

/// The error of a database that was opened a moment ago, and is gone already.
fn not_opened(failure: Failure) -> StoreError {
    match failure {
        Failure::NotStarted(error) => StoreError::Closed(error.to_string()),
        Failure::Store(error) => error,
    }
}

#[async_trait(?Send)]
impl Store for IndexedDbStore {
    async fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.shared
            .with_transaction(async |connection| {
                let transaction = connection.read()?;
                let records = transaction.object_store(RECORDS).map_err(io)?;
                let value = read(&records, key).await?;
                end(transaction);
                Ok(value)
            })
            .await
    }

    async fn scan(&self, range: Range<Bytes>) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        // IndexedDB throws on a range that cannot have any records.
        if range.start >= range.end {
            return Ok(Vec::new());
        }
        self.shared
            .with_transaction(async |connection| {
                let transaction = connection.read()?;
                let records = transaction.object_store(RECORDS).map_err(io)?;
                // Both requests are made before either is awaited, in one transaction, so no write
                // comes between them.
                let (keys, values) = (keys_in(&records, &range)?, values_in(&records, &range)?);
                let found = paired(keys.await, values.await)?;
                end(transaction);
                Ok(found)
            })
            .await
    }

    async fn scan_each(
        &self,
        ranges: Vec<Range<Bytes>>,
    ) -> Result<Vec<Vec<(Bytes, Bytes)>>, StoreError> {
        self.shared
            .with_transaction(async |connection| {
                let transaction = connection.read()?;
                let records = transaction.object_store(RECORDS).map_err(io)?;
                let mut all = Vec::with_capacity(ranges.len());
                for range in &ranges {
                    let has_any = range.start < range.end;
                    all.push(has_any.then(|| keys_in(&records, range)).transpose()?);
                }
                let mut found = Vec::with_capacity(ranges.len());
                for (keys, range) in all.into_iter().zip(&ranges) {
                    let Some(keys) = keys else {
                        found.push(Vec::new());
                        continue;
                    };
                    let keys = keys.await;
                    // Most have none, and their values are not asked for.
                    let is_empty = keys.as_ref().is_ok_and(|keys| keys.len() == 0);
                    found.push(match is_empty {
                        true => Vec::new(),
                        false => paired(keys, values_in(&records, range)?.await)?,
                    });
                }
                end(transaction);
                Ok(found)
            })
            .await
    }

    async fn commit(&self, batch: Batch, durability: Durability) -> Result<(), StoreError> {
        if batch.is_empty() && durability == Durability::Relaxed {
            return Ok(());
        }
        self.shared
            .with_transaction(async |connection| {
                // A batch that only asks need not wait for those that write.
                let only_asks = batch.writes().is_empty() && durability == Durability::Relaxed;
                let transaction = match only_asks {
                    true => connection.read()?,
                    false => connection.write(durability)?,
                };
                // Everything is asked for at once: to wait for what is required before the changes
                // are made would be another way to the browser and back. Requests are done in
                // their order, and dropped without a commit the transaction rolls back.
                let records = transaction.object_store(RECORDS).map_err(io)?;
                let required = batch.required().iter();
                let required = required.map(|(key, value)| Ok((key, value, asked(&records, key)?)));
                let required: Vec<_> = required.collect::<Result<_, StoreError>>()?;
                if !only_asks {
                    send(&records, batch.writes()).map_err(io)?;
                }
                // Nothing but the transaction's own requests is awaited: that would commit the
                // changes so far.
                for (key, value, found) in required {
                    if found.await? != *value {
                        return Err(StoreError::unmet(key).into());
                    }
                }
                drop(records);
                if only_asks {
                    end(transaction);
                    return Ok(());
                }
                let raw = transaction.as_sys().clone();
                Ok(transaction
                    .commit()
                    .await
                    .map_err(|error| of_transaction(&raw, error))?)
            })
            .await
    }
}

/// The answer to a request for all keys or all values of a range.
type All = ArrayMapIter<JsValue>;

/// Asks for the keys in a range that can have some.
fn keys_in(
    records: &ObjectStore<'_>,
    range: &Range<Bytes>,
) -> Result<impl Future<Output = indexed_db_futures::Result<All>>, StoreError> {
    let request = records.get_all_keys::<JsValue>();
    let request = request.with_query::<JsValue, _>(key_range(range));
    Ok(request.primitive().map_err(io)?.into_future())
}

/// Asks for their values.
fn values_in(
    records: &ObjectStore<'_>,
    range: &Range<Bytes>,
) -> Result<impl Future<Output = indexed_db_futures::Result<All>>, StoreError> {
    let request = records.get_all::<JsValue>();
    let request = request.with_query::<JsValue, _>(key_range(range));
    Ok(request.primitive().map_err(io)?.into_future())
}

/// The records of these keys and values.
fn paired(
    keys: indexed_db_futures::Result<All>,
    values: indexed_db_futures::Result<All>,
) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
    let (keys, values) = (keys.map_err(io)?, values.map_err(io)?);
    if keys.len() != values.len() {
        let error = "the browser returned different numbers of keys and values";
        return Err(StoreError::Io(error.to_owned()));
    }
    let mut found = Vec::with_capacity(keys.len());
    for (key, value) in keys.zip(values) {
        let (key, value) = (key.map_err(io)?, value.map_err(io)?);
        found.push((bytes(&key, &key)?, bytes(&key, &value)?));
    }
    Ok(found)
}

/// Lets a transaction that has only read end by itself. One that is dropped is aborted, which takes
/// the browser as long as the reading.
fn end(transaction: Transaction<'_>) {
    // Nothing is left that could fail.
    let _ = transaction.commit().now_or_never();
}

/// Reads a record.
async fn read(records: &ObjectStore<'_>, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
    asked(records, key)?.await
}

/// Asks for a record now, whenever the answer is awaited.
fn asked(
    records: &ObjectStore<'_>,
    key: &[u8],
) -> Result<impl Future<Output = Result<Option<Bytes>, StoreError>>, StoreError> {
    let key = js(key);
    let request = records.get::<JsValue, _, _>(key.clone());
    let request = request.primitive().map_err(io)?;
    Ok(async move {
        let value = request.await.map_err(io)?;
        let value = value.filter(|value| !value.is_undefined());
        value.map(|value| bytes(&key, &value)).transpose()
    })
}

/// Puts the changes into a transaction, in their order, which IndexedDB keeps. Those of a key that
/// is changed once more later are left out: a hundred commands that come together count a hundred
/// numbers on, and each request costs the page and the browser.
fn send(records: &ObjectStore<'_>, writes: &[Write]) -> indexed_db_futures::Result<()> {
    let mut later = BTreeSet::new();
    let mut needed: Vec<&Write> = Vec::with_capacity(writes.len());
    for write in writes.iter().rev() {
        let is_last = match write {
            Write::Put { key, .. } | Write::Delete { key } => later.insert(key),
            Write::DeleteRange { .. } => true,
        };
        if is_last {
            needed.push(write);
        }
    }
    for write in needed.into_iter().rev() {
        // The requests' futures are dropped: an error of any of them reaches the transaction.
        match write {
            Write::Put { key, value } => drop(records.put(js(value)).with_key(js(key)).build()?),
            Write::Delete { key } => drop(records.delete::<JsValue, _>(js(key)).build()?),
            Write::DeleteRange { range } if range.start < range.end => {
                drop(records.delete::<JsValue, _>(key_range(range)).build()?);
            }
            Write::DeleteRange { .. } => {}
        }
    }
    if writes.is_empty() {
        // A transaction without a change need not reach the disk, and so would not make the relaxed
        // ones before it durable. Number keys are in no range of binary keys.
        drop(records.put(JsValue::from(0)).with_key(0).build()?);
    }
    Ok(())
}

/// A copy in JavaScript's memory.
fn js(bytes: &[u8]) -> JsValue {
    Uint8Array::from(bytes).into()
}

fn key_range(range: &Range<Bytes>) -> KeyRange<JsValue> {
    KeyRange::Bound(js(&range.start), false, js(&range.end), true)
}

/// A copy in Rust's memory of a value, or of a key: keys come back as `ArrayBuffer`s, in whatever
/// form they were written.
fn bytes(key: &JsValue, value: &JsValue) -> Result<Bytes, StoreError> {
    let array = match value.dyn_ref::<Uint8Array>() {
        Some(array) => array.clone(),
        None if value.is_instance_of::<ArrayBuffer>() => Uint8Array::new(value),
        None => {
            let key = Uint8Array::new(key).to_vec();
            return Err(corrupt(
                format_args!("{key:02x?}"),
                "it is not made of bytes",
            ));
        }
    };
    Ok(array.to_vec().into())
}

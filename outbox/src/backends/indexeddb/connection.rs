//! One connection to a database, and its possible ends.

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;

use futures::channel::oneshot;
use futures::future::{Either, select};
use indexed_db_futures::database::{Database, VersionChangeEvent};
use indexed_db_futures::future::OpenDbRequest;
use indexed_db_futures::internals::SystemRepr;
use indexed_db_futures::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen_futures::spawn_local;

use super::RECORDS;
use super::errors::of_open;
use crate::StoreError;
use crate::browser::out_of_patience;

/// The version of the database's layout: its object stores, and the form of keys and values.
///
/// | version | what is new |
/// |---|---|
/// | 1 | |
/// | 2 | a birth id, and records with seals; those without are still read |
///
/// The browser refuses to open a database of a later version, and one of an earlier version is
/// carried up: it gets its birth id when it is opened, and each record its seal when it is written
/// again.
const VERSION: u32 = 2;

/// The answer to whether the database existed before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Birth {
    Found,
    Made,
}

/// The reason why a connection cannot be used any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// It was closed because another tab has a newer version of the database.
    GivenUp,
    /// It was closed because another tab deletes the database.
    Deleted,
    /// The browser closed it.
    Lost,
}

/// A connection that is closed when it is dropped, or earlier when another tab needs the database
/// for itself.
pub(super) struct Connection {
    database: Database,
    end: Rc<Cell<Option<End>>>,
    /// The listeners that the database calls; they have to live as long as it may call them.
    _listeners: [Closure<dyn FnMut(web_sys::IdbVersionChangeEvent)>; 2],
}

impl Connection {
    pub(super) async fn open(name: &str) -> Result<(Self, Birth), StoreError> {
        let birth = Rc::new(Cell::new(Birth::Found));
        let (blocked, is_blocked) = oneshot::channel();
        let request = Database::open(name)
            .with_version(VERSION)
            .with_on_blocked(move |_: VersionChangeEvent| {
                // If the opening was given up, nobody listens.
                let _ = blocked.send(());
                Ok(())
            })
            .with_on_upgrade_needed({
                let birth = Rc::clone(&birth);
                move |event: VersionChangeEvent, database: Database| {
                    if event.old_version() < 1.0 {
                        birth.set(Birth::Made);
                        database.create_object_store(RECORDS).build()?;
                    }
                    Ok(())
                }
            })
            .build()
            .map_err(|error| of_open(name, error))?;
        // A sender that is dropped with its listener does not mean "blocked".
        let is_blocked = async {
            if is_blocked.await.is_err() {
                futures::future::pending::<()>().await;
            }
        };
        let given_up = async {
            match select(pin!(is_blocked), pin!(out_of_patience())).await {
                Either::Left(((), _)) => StoreError::Blocked(name.to_owned()),
                Either::Right(((), _)) => StoreError::Unanswered(format!("the database {name}")),
            }
        };
        match select(request, Box::pin(given_up)).await {
            Either::Left((Ok(database), _)) => Ok((Self::new(database), birth.get())),
            Either::Left((Err(error), _)) => Err(of_open(name, error)),
            Either::Right((error, request)) => {
                abandon(request);
                Err(error)
            }
        }
    }

    fn new(database: Database) -> Self {
        let end = Rc::new(Cell::new(None));
        let raw = database.as_sys().clone();
        let on_version_change = Closure::new({
            let (end, raw) = (Rc::clone(&end), raw.clone());
            move |event: web_sys::IdbVersionChangeEvent| {
                // Transactions that have begun still finish.
                raw.close();
                end.set(Some(match event.new_version() {
                    Some(_) => End::GivenUp,
                    None => End::Deleted,
                }));
            }
        });
        let on_close = Closure::new({
            let end = Rc::clone(&end);
            move |_| end.set(end.get().or(Some(End::Lost)))
        });
        raw.set_onversionchange(Some(on_version_change.as_ref().unchecked_ref()));
        raw.set_onclose(Some(on_close.as_ref().unchecked_ref()));
        Self {
            database,
            end,
            _listeners: [on_version_change, on_close],
        }
    }

    pub(super) const fn database(&self) -> &Database {
        &self.database
    }

    pub(super) fn is_lost(&self) -> bool {
        self.end.get() == Some(End::Lost)
    }

    /// The error of the database of this name from now on, if it was closed for another tab.
    pub(super) fn given_up(&self, name: &str) -> Option<StoreError> {
        match self.end.get() {
            Some(End::GivenUp) => {
                let why = "another tab has a newer version of the database";
                Some(StoreError::Closed(why.to_owned()))
            }
            Some(End::Deleted) => Some(StoreError::Deleted(format!("the database {name}"))),
            Some(End::Lost) | None => None,
        }
    }

    /// Marks it as lost, unless it has another end already.
    pub(super) fn lose(&self) {
        self.end.set(self.end.get().or(Some(End::Lost)));
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let raw = self.database.as_sys();
        raw.set_onversionchange(None);
        raw.set_onclose(None);
        raw.close();
    }
}

/// Lets an opening finish without a listener for its result. Its upgrade must not run without the
/// upgrade listener, which would leave a database without its object store; and a connection that
/// nobody closes would block the next tab.
fn abandon(request: OpenDbRequest) {
    spawn_local(async {
        if let Ok(database) = request.await {
            database.close();
        }
    });
}

//! The identity and its polls in a file, and polls that are put aside.

use std::rc::Rc;

use hustings_outbox::export::{
    Export, ExportError, ImportError, Imported, Intent, Passphrase, ReadError, Sealer, WorkFactor,
    export,
};
use hustings_outbox::{Aside, HostingLock, Journal, Store, StoreError};
use hustings_protocol::RoomId;
use hustings_room::clock::unix_millis;
use hustings_room::driver::OpenError;

use crate::app::{App, Storage, locks_are_released};
use crate::hosted::HostError;

/// The reason why nothing was exported, imported or put aside.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeepError {
    /// The file cannot be made.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The file does not read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The file is not taken in.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// Only the tab that hosts does this.
    #[error(transparent)]
    Host(#[from] HostError),
    /// This browser stores nothing for the page, so what was imported would go with the tab.
    #[error("this browser stores nothing for this page, so nothing can be imported into it")]
    InMemory,
}

impl From<StoreError> for KeepError {
    fn from(error: StoreError) -> Self {
        Self::Export(error.into())
    }
}

impl From<OpenError> for KeepError {
    fn from(error: OpenError) -> Self {
        Self::Host(error.into())
    }
}

impl App {
    /// Makes a file of the identity and these polls, encrypted with a passphrase: an `age` file.
    /// The page stands still for about a second.
    ///
    /// With [`Intent::Move`] the polls are closed and marked first, so that nobody hosts them here
    /// any more: this tab hosts for it. Whatever happens to the file, they can be exported again,
    /// or [taken back](Self::take_back). With no poll left to host, this tab hosts no longer, and
    /// leaves the address to whoever has the file.
    ///
    /// # Errors
    ///
    /// See [`KeepError`].
    pub async fn export(
        &self,
        passphrase: String,
        polls: &[RoomId],
        intent: Intent,
    ) -> Result<Vec<u8>, KeepError> {
        let sealer = Sealer::new(&Passphrase::new(passphrase), WorkFactor::default())?;
        let (store, at) = (&self.profile.store, unix_millis());
        if intent == Intent::Move {
            let mut here = Vec::new();
            for link in polls {
                match Journal::new(*link).aside(store).await? {
                    Some(Aside::Moved { .. }) => {}
                    Some(_) | None => here.push(*link),
                }
            }
            self.put_aside(&here, Aside::Moved { at }).await?;
        }
        Ok(export(store, polls, intent, at, sealer).await?)
    }

    /// Takes a file in: all of it or nothing. The page stands still for about a second.
    ///
    /// This tab hosts no longer after that, and its hosted rooms are closed: whoever wants them
    /// hosts again. If the identity [is new](Imported::is_new_identity) here, this app still has
    /// the old one: load the page again, and have other tabs of it loaded again.
    ///
    /// # Errors
    ///
    /// See [`KeepError`]; [`HostError::Elsewhere`] while another tab hosts.
    pub async fn import(&self, file: &[u8], passphrase: String) -> Result<Imported, KeepError> {
        if matches!(self.storage(), Storage::Memory(_)) {
            return Err(KeepError::InMemory);
        }
        let opened = Export::open(file, &Passphrase::new(passphrase))?;
        // Locked until it is done: nobody begins to host meanwhile.
        let mut hosted = self.hosted.lock().await;
        if let Some(hosted) = hosted.take() {
            hosted.close().await;
            locks_are_released().await;
        }
        let lock = HostingLock::take(&self.profile.name, &self.profile.store, self.me()).await;
        let lock = lock.map_err(HostError::from)?;
        let store: Rc<dyn Store> = Rc::new(lock.guard(Rc::clone(&self.profile.store)));
        Ok(opened.import(&store).await?)
    }

    /// Archives a poll: it stays stored and is not hosted, and those who took part read their
    /// copies. This tab hosts for it.
    ///
    /// # Errors
    ///
    /// [`KeepError::Host`].
    pub async fn archive(&self, link: RoomId) -> Result<(), KeepError> {
        let at = unix_millis();
        self.put_aside(&[link], Aside::Archived { at }).await
    }

    /// Hosts a poll again that was archived, or moved to another device where it must not go on:
    /// two that host one poll lose votes.
    ///
    /// # Errors
    ///
    /// [`KeepError::Host`].
    pub async fn take_back(&self, link: RoomId) -> Result<(), KeepError> {
        let hosted = self.host().await?;
        hosted.hosting().take_back(&[link.poll_id]).await?;
        hosted.hosting().open(link.poll_id).await?;
        Ok(())
    }

    /// The reason why a poll of the user's own is not hosted here, if it is put aside. To host at
    /// all takes the address from whoever has it, so a page asks this before.
    ///
    /// # Errors
    ///
    /// The stored data cannot be read.
    pub async fn aside(&self, link: RoomId) -> Result<Option<Aside>, StoreError> {
        Journal::new(link).aside(&self.profile.store).await
    }

    async fn put_aside(&self, polls: &[RoomId], why: Aside) -> Result<(), KeepError> {
        if polls.is_empty() {
            return Ok(());
        }
        if let Some(other) = polls.iter().find(|link| link.owner != self.me()) {
            return Err(OpenError::NoJournal(other.poll_id).into());
        }
        let hosted = self.host().await?;
        let ids: Vec<_> = polls.iter().map(|link| link.poll_id).collect();
        hosted.hosting().put_aside(&ids, why).await?;
        // With nothing to host, it would only be in the way of whoever hosts elsewhere.
        let polls = self.polls().await?;
        if polls.found.is_empty() && polls.damaged.is_empty() {
            self.hosted.lock().await.take();
            hosted.close().await;
        }
        Ok(())
    }
}

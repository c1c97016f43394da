//! Somebody in a poll of somebody else's.

use std::time::Duration;

use futures::StreamExt;
use hustings_protocol::{
    Address, Command, InvitationRedemption, InvitationSecret, Outcome, Role, RoomId,
};
use hustings_room::clock::SystemClock;
use hustings_room::driver::{self, DriverError, Room};
use hustings_room::{Config, Connection, OfflinePolicy};
use hustings_transport_peerjs::Status;
use hustings_transport_peerjs::wire::RegistrationState;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};

use crate::failure::Failure;
use crate::folder::Folder;
use crate::network::{self, Network};

/// The time that leaving may take: what was sent is acknowledged by then, or is sent again next
/// time.
const LEAVING: Duration = Duration::from_secs(3);

/// A room that was joined, with all that it needs.
pub(crate) struct Visit<'a> {
    pub(crate) room: Room,
    network: &'a Network,
    status: Status,
    driver: JoinHandle<Result<(), DriverError>>,
}

impl<'a> Visit<'a> {
    /// Joins. What is stored of the poll can be read at once, and the owner is dialled from now on.
    pub(crate) async fn begin(
        folder: &Folder,
        network: &'a Network,
        room: RoomId,
        offline: OfflinePolicy,
    ) -> Result<Self, Failure> {
        let identity = &folder.identity;
        if room.owner == identity.peer_id() {
            return Err(Failure::OwnPoll);
        }
        let address = Address::Participant(identity.peer_id(), identity.device());
        let transport = network.open(identity, &address)?;
        let status = transport.status();
        let config = Config {
            offline,
            ..Config::default()
        };
        let setup = driver::setup(identity, config)?;
        let store = folder.store.clone();
        let (room, driver) =
            driver::join(setup, room, transport, store, SystemClock::new()).await?;
        Ok(Self {
            room,
            network,
            status,
            driver: tokio::spawn(driver.run()),
        })
    }

    /// Resolves once the owner has let this side in.
    pub(crate) async fn connected(&self, until: Instant) -> Result<(), Failure> {
        tokio::select! {
            connected = timeout_at(until, self.room.connected()) => match connected {
                Ok(connected) => Ok(connected?),
                Err(_) => Err(self.away()),
            },
            failure = self.given_up() => Err(failure),
        }
    }

    /// Resolves once the server refuses for good.
    async fn given_up(&self) -> Failure {
        loop {
            if let Some(RegistrationState::Failed(_)) = self.status.registration()
                && let Some(failure) = self.network.no_server(&self.status)
            {
                return failure;
            }
            // The status does not tell by itself.
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// The reason why there is no connection.
    pub(crate) fn away(&self) -> Failure {
        let failure = self.network.no_server(&self.status);
        failure.unwrap_or_else(|| Failure::Away(self.reason()))
    }

    /// The same, in words.
    pub(crate) fn reason(&self) -> String {
        match self.room.connection() {
            Connection::Disconnected { reason, .. } => reason.to_string(),
            Connection::Refused(refused) => refused.to_string(),
            Connection::Connecting => "there is no answer yet".into(),
            Connection::Connected => "there is an answer by now".into(),
            Connection::Closed => "the room is closed".into(),
        }
    }

    /// False if the signalling server could not be reached.
    pub(crate) fn has_server(&self) -> bool {
        !matches!(
            self.status.registration(),
            Some(RegistrationState::Disconnected { .. } | RegistrationState::Failed(_))
        )
    }

    /// The address of the signalling server.
    pub(crate) fn server(&self) -> &str {
        &self.network.server
    }

    /// Waits until all that an earlier command has left has its outcome.
    pub(crate) async fn delivered(&self, until: Instant) -> Result<(), Failure> {
        let mut events = self.room.events();
        while !self.room.pending().is_empty() {
            match timeout_at(until, events.next()).await {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(self.room.connected().await?),
                Err(_) => {
                    return Err(Failure::Pending {
                        what: "what was submitted",
                    });
                }
            }
        }
        Ok(())
    }

    /// Becomes a voter by an invitation, unless this person is one.
    pub(crate) async fn redeem(
        &self,
        secret: InvitationSecret,
        until: Instant,
    ) -> Result<(), Failure> {
        let me = self.room.peer();
        let poll = self.room.confirmed();
        if poll.is_some_and(|poll| poll.role(me) >= Role::Voter) {
            return Ok(());
        }
        let redemption = InvitationRedemption {
            poll_id: self.room.id().poll_id,
            secret: Some(secret),
        };
        let command = Command::RedeemInvitation(redemption);
        self.submit(command, until, "the invitation")
            .await
            .map(drop)
    }

    /// Submits a command, and waits for its outcome.
    pub(crate) async fn submit(
        &self,
        command: Command,
        until: Instant,
        what: &'static str,
    ) -> Result<hustings_protocol::Revision, Failure> {
        let submitted = self.room.submit(command).await?;
        match timeout_at(until, submitted.outcome()).await {
            Ok(Ok(Outcome::Applied(revision))) => Ok(revision),
            Ok(Ok(Outcome::Rejected(rejection))) => Err(Failure::Rejected(rejection)),
            // It was answered before, and nobody has kept the answer.
            Ok(Err(_)) if self.room.connection() != Connection::Closed => {
                Err(Failure::OutcomeUnknown)
            }
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(Failure::Pending { what }),
        }
    }

    /// Leaves, and has what was sent arrive.
    pub(crate) async fn end(self) {
        self.room.close().await;
        // What went wrong in it was told by the calls.
        let _ = self.driver.await;
        network::gone(&self.status, LEAVING).await;
    }
}

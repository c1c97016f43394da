//! Diagnostics of a driver, for whoever looks for the cause of something: with the feature
//! `tracing` they go to the application's subscriber, without it there is no code at all.
//!
//! A link is a span, from its dial or its coming up to its end. Ids are shortened to what tells
//! them apart in a log, and nothing is said of what somebody asked for: no choice, text, token or
//! key, and of a peer's fault the code alone, because its sentence may repeat what the peer sent.

#[cfg(not(feature = "tracing"))]
pub(super) use disabled::Trace;
#[cfg(feature = "tracing")]
pub(super) use enabled::Trace;

#[cfg(not(feature = "tracing"))]
mod disabled {
    use hustings_outbox::Durability;

    use crate::driver::DriverError;
    use crate::transport::TransportEvent;
    use crate::{LinkId, Output};

    /// Nothing.
    #[derive(Default)]
    pub(in crate::driver) struct Trace(());

    #[allow(
        clippy::unused_self,
        clippy::needless_pass_by_ref_mut,
        reason = "as with the feature"
    )]
    impl Trace {
        pub(in crate::driver) const fn happened(&mut self, _: &TransportEvent) {}
        pub(in crate::driver) const fn performs(&mut self, _: &Output) {}
        pub(in crate::driver) const fn blocked(&self, _: LinkId) {}
        pub(in crate::driver) const fn committed(&self, _: usize, _: Durability) {}
        pub(in crate::driver) const fn stopped(&self, _: Option<&DriverError>) {}
    }
}

#[cfg(feature = "tracing")]
mod enabled {
    use hustings_outbox::Durability;
    use hustings_protocol::{Address, CommandId, PeerId};
    use litemap::LiteMap;
    use tracing::{Span, debug, debug_span, error, info, trace, warn};

    use crate::driver::DriverError;
    use crate::transport::TransportEvent;
    use crate::{CommandState, Connection, Event, LinkId, Output};

    /// The diagnostics of one driver.
    #[derive(Default)]
    pub(in crate::driver) struct Trace {
        links: LiteMap<LinkId, Span>,
    }

    impl Trace {
        /// The transport has something to say.
        pub(in crate::driver) fn happened(&mut self, event: &TransportEvent) {
            match event {
                TransportEvent::LinkUp { link, .. } => {
                    let span = self.links.entry(*link).or_insert_with(|| span_of(*link));
                    span.in_scope(|| debug!("up"));
                }
                TransportEvent::LinkDown { link, reason } => {
                    self.within(*link, || debug!(%reason, "down"));
                    self.links.remove(link);
                }
                TransportEvent::Writable { link } => self.within(*link, || debug!("writable")),
                TransportEvent::Frame { link, frame } => {
                    self.within(*link, || trace!(bytes = frame.len(), "received"));
                }
                TransportEvent::Wake => debug!("woken: trying again is worth it"),
                TransportEvent::Failed(why) => error!(%why, "the transport failed"),
            }
        }

        /// An output is about to be acted on.
        pub(in crate::driver) fn performs(&mut self, output: &Output) {
            match output {
                Output::Send { link, frame } => {
                    self.within(*link, || trace!(bytes = frame.len(), "sent"));
                }
                Output::Broadcast { links, frame, .. } => {
                    trace!(links = links.len(), bytes = frame.len(), "broadcast");
                }
                Output::Dial { link, to } => {
                    let span = self.links.entry(*link).or_insert_with(|| span_of(*link));
                    span.in_scope(|| debug!(to = short_address(to), "dialled"));
                }
                Output::Hangup { link } => {
                    self.within(*link, || debug!("hung up"));
                    self.links.remove(link);
                }
                Output::Event { event, .. } => self.tell(event),
                // It is counted when it has been committed.
                Output::Persist(_) => {}
            }
        }

        fn tell(&self, event: &Event) {
            match event {
                Event::Connection(connection) => tell_connection(connection),
                Event::PollChanged { revision } => trace!(%revision, "the poll has changed"),
                Event::Command { command_id, state } => {
                    let (command, state) = (short_command(*command_id), word(state));
                    debug!(command, state, "command");
                }
                Event::PeersChanged(peers) => debug!(peers = peers.len(), "peers have changed"),
                Event::Fault {
                    link,
                    peer,
                    rejection,
                } => self.within(*link, || {
                    let (peer, code) = (peer.map(short_peer), rejection.code.as_str());
                    warn!(peer, code, "fault of the other side");
                }),
                Event::Full(true) => warn!("no room for more links"),
                Event::Full(false) => info!("room for more links again"),
                Event::JournalRolledBack { have, seen } => {
                    error!(%have, %seen, "the journal is an old copy of itself");
                }
                Event::HistoryReplaced { had, has } => {
                    warn!(%had, %has, "the owner's journal is another than before");
                }
                // Not reached: a listener's stream says so, no machine.
                Event::Missed { .. } => {}
            }
        }

        /// A link has no room.
        pub(in crate::driver) fn blocked(&self, link: LinkId) {
            self.within(link, || debug!("blocked"));
        }

        /// A batch is durable.
        pub(in crate::driver) fn committed(&self, writes: usize, durability: Durability) {
            trace!(writes, ?durability, "committed");
        }

        /// The driver has come to its end.
        pub(in crate::driver) fn stopped(&self, why: Option<&DriverError>) {
            match why {
                Some(why) => error!(%why, "stopped"),
                None => debug!("closed"),
            }
        }

        fn within(&self, link: LinkId, tell: impl FnOnce()) {
            match self.links.get(&link) {
                Some(span) => span.in_scope(tell),
                // A link that was hung up before, of which the transport has not heard.
                None => tell(),
            }
        }
    }

    fn tell_connection(connection: &Connection) {
        match connection {
            Connection::Connecting => debug!("connecting"),
            Connection::Connected => info!("connected"),
            Connection::Disconnected { retry_at, reason } => {
                info!(%reason, retry_at = retry_at.as_millis(), "disconnected");
            }
            Connection::Refused(reason) => warn!(%reason, "refused"),
            Connection::Closed => debug!("left"),
        }
    }

    fn span_of(link: LinkId) -> Span {
        debug_span!("link", id = %link)
    }

    /// As much of a peer id as tells people apart in a log.
    fn short_peer(peer: PeerId) -> String {
        let mut text = peer.to_string();
        text.truncate(8);
        text
    }

    fn short_address(address: &Address) -> String {
        match address {
            Address::Owner(peer) => short_peer(*peer),
            Address::Participant(peer, device) => format!("{}-{device}", short_peer(*peer)),
        }
    }

    /// The end of a command id, which is random; it begins with the time.
    fn short_command(command_id: CommandId) -> String {
        let text = command_id.to_string();
        text[text.len() - 8..].to_owned()
    }

    const fn word(state: &CommandState) -> &'static str {
        match state {
            CommandState::Queued => "queued",
            CommandState::Persisted => "persisted",
            CommandState::Sent => "sent",
            CommandState::Applied(_) => "applied",
            CommandState::Rejected(_) => "rejected",
            CommandState::OutcomeUnknown => "outcome-unknown",
        }
    }
}

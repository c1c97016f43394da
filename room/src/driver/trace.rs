//! Diagnostics of a driver, for whoever looks for the cause of something: with the feature
//! `tracing` they go to the application's subscriber, without it there is no code at all.
//!
//! A poll is a span, as long as it is open, and so is a link, from its dial or its coming up to its
//! end. Ids are shortened, and nothing is said of what somebody asked for: no choice, text, token
//! or key, and of a peer's fault the code alone, because its sentence may repeat what the peer
//! sent. ARCHITECTURE.md lists the events.

#[cfg(not(feature = "tracing"))]
pub(super) use disabled::{Trace, poll_is};
#[cfg(feature = "tracing")]
pub(super) use enabled::{Trace, poll_is};

#[cfg(not(feature = "tracing"))]
mod disabled {
    use hustings_outbox::Durability;
    use hustings_protocol::{PollId, RoomId};

    use crate::driver::DriverError;
    use crate::transport::TransportEvent;
    use crate::{LinkId, Output};

    pub(in crate::driver) const fn poll_is(_: PollId, _: &'static str) {}

    /// Nothing.
    pub(in crate::driver) struct Trace(());

    #[allow(
        clippy::unused_self,
        clippy::needless_pass_by_ref_mut,
        reason = "as with the feature"
    )]
    impl Trace {
        pub(in crate::driver) const fn of_owner() -> Self {
            Self(())
        }
        pub(in crate::driver) const fn of_participant(_: RoomId) -> Self {
            Self(())
        }
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
    use hustings_protocol::{CommandId, ErrorCode, Excerpt, PollId, RoomId, Short};
    use litemap::LiteMap;
    use tracing::{Span, debug, error, info, info_span, trace, warn};

    use crate::driver::DriverError;
    use crate::transport::TransportEvent;
    use crate::{CommandState, Connection, DownReason, Event, LinkId, Output, Refused};

    /// A poll was created, opened, deleted or something else that is not the machine's to say.
    pub(in crate::driver) fn poll_is(poll_id: PollId, what: &'static str) {
        info!(poll = %Short::of(poll_id), "{what}");
    }

    /// The diagnostics of one driver.
    pub(in crate::driver) struct Trace {
        /// Those that have been told of and are not over.
        polls: LiteMap<PollId, Span>,
        /// The poll of a participant, of which everything is that has no poll of its own.
        only: Span,
        links: LiteMap<LinkId, Link>,
        is_connected: bool,
    }

    struct Link {
        span: Span,
        is_up: bool,
    }

    impl Trace {
        pub(in crate::driver) fn of_owner() -> Self {
            Self {
                polls: LiteMap::new(),
                only: Span::none(),
                links: LiteMap::new(),
                is_connected: false,
            }
        }

        pub(in crate::driver) fn of_participant(room: RoomId) -> Self {
            let (poll_id, owner) = (room.poll_id, Short::of(room.owner));
            let role = "participant";
            let only = info_span!("poll", id = %Short::of(poll_id), role, %owner);
            let mut trace = Self::of_owner();
            trace.polls.insert(poll_id, only.clone());
            trace.only = only;
            trace
        }

        /// The transport has something to say.
        pub(in crate::driver) fn happened(&mut self, event: &TransportEvent) {
            match event {
                TransportEvent::LinkUp { link, .. } => {
                    let link = self.begin(*link);
                    link.is_up = true;
                    link.span.in_scope(|| info!("up"));
                }
                TransportEvent::LinkDown { link, reason } => {
                    let (reason, code) = why_down(reason);
                    let was_up = self.links.get(link).is_some_and(|it| it.is_up);
                    self.within(*link, || match was_up {
                        true => info!(reason, code, "down"),
                        // One of many attempts, perhaps.
                        false => debug!(reason, code, "not up"),
                    });
                    self.links.remove(link);
                }
                TransportEvent::Writable { link } => self.within(*link, || debug!("writable")),
                TransportEvent::Frame { link, frame } => {
                    self.within(*link, || trace!(bytes = frame.len(), "received"));
                }
                TransportEvent::Wake => {
                    self.only
                        .in_scope(|| debug!("woken: trying again is worth it"));
                }
                // The end of the driver says why.
                TransportEvent::Failed(_) => {}
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
                    let span = &self.begin(*link).span;
                    span.in_scope(|| debug!(to = %Short::of(to), "dialled"));
                }
                Output::Hangup { link } => {
                    self.within(*link, || info!("hung up"));
                    self.links.remove(link);
                }
                Output::Event { poll_id, event } => self.tell(*poll_id, event),
                // It is counted when it has been committed.
                Output::Persist(_) => {}
            }
        }

        fn tell(&mut self, poll_id: Option<PollId>, event: &Event) {
            let Some(poll_id) = poll_id else {
                return self.tell_within(event);
            };
            let span = self.polls.entry(poll_id);
            let span = span.or_insert_with(|| {
                let role = "owner";
                info_span!(parent: None, "poll", id = %Short::of(poll_id), role)
            });
            let span = span.clone();
            span.in_scope(|| self.tell_within(event));
            if matches!(event, Event::Connection(Connection::Closed)) {
                self.polls.remove(&poll_id);
            }
        }

        fn tell_within(&mut self, event: &Event) {
            match event {
                Event::Connection(connection) => self.tell_connection(connection),
                Event::PollChanged { revision } => trace!(%revision, "the poll has changed"),
                Event::Command { command_id, state } => {
                    let (command, state) = (short_command(*command_id), word(state));
                    let (state, code) = state;
                    debug!(command, state, code, "command");
                }
                Event::PeersChanged(peers) => debug!(peers = peers.len(), "peers have changed"),
                Event::Fault {
                    link,
                    peer,
                    rejection,
                } => {
                    let (peer, code) = (peer.map(Short::of), known(&rejection.code));
                    let peer = peer.as_ref().map(tracing::field::debug);
                    self.within(*link, || warn!(peer, code, "fault of the other side"));
                }
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

        fn tell_connection(&mut self, connection: &Connection) {
            let was_connected = self.is_connected;
            self.is_connected = match connection {
                Connection::Connected => true,
                // While it is tried again nothing has changed for whoever looks on.
                Connection::Connecting => was_connected,
                Connection::Disconnected { .. } | Connection::Refused(_) | Connection::Closed => {
                    false
                }
            };
            match connection {
                Connection::Connecting => debug!("connecting"),
                Connection::Connected => info!("connected"),
                Connection::Disconnected { retry_at, reason } => {
                    let (reason, code) = why_down(reason);
                    let retry_at = retry_at.as_millis();
                    if was_connected {
                        info!(reason, code, retry_at, "disconnected");
                    } else {
                        debug!(reason, code, retry_at, "not connected");
                    }
                }
                Connection::Refused(Refused::ByOwner(rejection)) => {
                    let code = known(&rejection.code);
                    warn!(code, "refused");
                }
                Connection::Closed => info!("closed"),
            }
        }

        /// A link has no room.
        pub(in crate::driver) fn blocked(&self, link: LinkId) {
            self.within(link, || debug!("blocked"));
        }

        /// A batch is durable.
        pub(in crate::driver) fn committed(&self, writes: usize, durability: Durability) {
            self.only
                .in_scope(|| debug!(writes, ?durability, "committed"));
        }

        /// The driver has come to its end.
        pub(in crate::driver) fn stopped(&self, why: Option<&DriverError>) {
            self.only.in_scope(|| match why {
                Some(why) => error!(why = %Excerpt(&why.to_string()), "stopped"),
                None => info!("ended"),
            });
        }

        fn begin(&mut self, link: LinkId) -> &mut Link {
            let only = self.only.id();
            self.links.entry(link).or_insert_with(|| Link {
                span: info_span!(parent: only, "link", id = %link),
                is_up: false,
            })
        }

        fn within(&self, link: LinkId, tell: impl FnOnce()) {
            match self.links.get(&link) {
                Some(link) => link.span.in_scope(tell),
                // A link that was hung up before, of which the transport has not heard.
                None => tell(),
            }
        }
    }

    /// A word for it, and the code if somebody gave one. A transport's own sentence is left to the
    /// transport: it may repeat what a browser or the other side has said.
    fn why_down(reason: &DownReason) -> (&'static str, Option<&str>) {
        match reason {
            DownReason::ClosedByPeer => ("closed by the other side", None),
            DownReason::Lost(_) => ("lost", None),
            DownReason::NotTheOwner => ("not the owner", None),
            DownReason::Unreachable => ("nobody is there", None),
            DownReason::DialFailed(_) => ("could not connect", None),
            DownReason::AddressInUse => ("address in use", None),
            DownReason::Refused(code) => ("refused", Some(known(code))),
        }
    }

    /// The code, unless it is a word of the other side's own.
    fn known(code: &ErrorCode) -> &str {
        if matches!(code, ErrorCode::Other(_)) {
            return "unknown";
        }
        code.as_str()
    }

    /// The end of a command id, which is random; it begins with the time.
    fn short_command(command_id: CommandId) -> String {
        let text = command_id.to_string();
        text[text.len() - Short::LEN..].to_owned()
    }

    fn word(state: &CommandState) -> (&'static str, Option<&str>) {
        match state {
            CommandState::Queued => ("queued", None),
            CommandState::Persisted => ("persisted", None),
            CommandState::Sent => ("sent", None),
            CommandState::Applied(_) => ("applied", None),
            CommandState::Rejected(rejection) => ("rejected", Some(known(&rejection.code))),
            CommandState::OutcomeUnknown => ("outcome-unknown", None),
        }
    }
}

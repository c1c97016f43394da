//! Telling members of votes that they do not hear of one by one.
//!
//! Members who are not shown each vote hear of all of them together, in a `poll:tally`: the first
//! at once, and those that come after it after a while. Before anything else is told, it is told.
//! So what a member has is always the poll as it was at one revision, as far as that member is
//! shown it.
//!
//! Those who are shown each vote hear of it by itself, unless they are many. Then what a vote costs
//! the room grows with the square of their number, and they hear of votes together, too: a choice
//! in a tally has a fifth of the bytes of an update.

use bytes::Bytes;
use hustings_protocol::planted::{self, Fault};
use hustings_protocol::{
    Ballots, Command, CommandId, CommandKind, Envelope, Kind, Limits, PeerId, Poll, PollTally,
    Results, Revision, Shown,
};
use litemap::LiteMap;

use super::links::About;
use super::sequencer::Sequencer;
use super::size::FEW_BYTES;
use super::{Owner, removed};
use crate::{LinkId, Moment};

/// The votes that have not been told, and the polls that newcomers are told.
#[derive(Debug)]
pub(crate) struct Telling {
    /// The members who are not shown each vote have been told everything up to here.
    told: Revision,
    /// The people whose vote has changed since.
    changed: LiteMap<PeerId, ()>,
    /// Those who are shown each vote have not heard of all of these.
    keeps_choices: bool,
    /// Not before this moment they are told again.
    not_before: Moment,
    /// The poll for newcomers who are shown so much of it, at a revision, as a payload. It is
    /// renewed only if somebody needs one and enough has happened since, so that a thousand joins
    /// do not encode a thousand polls.
    fresh: LiteMap<Shown, (Revision, Bytes)>,
    /// The last change of the settings. A copy from before it may show more or less than is shown
    /// now, whatever has happened since.
    settled: Revision,
}

impl Telling {
    /// Nobody is there who would have to be told anything up to the present revision.
    pub(crate) fn from(sequencer: &Sequencer) -> Self {
        Self {
            told: sequencer.revision,
            settled: sequencer.log.last_of(SETTINGS).unwrap_or(Revision::ZERO),
            changed: LiteMap::new(),
            keeps_choices: false,
            not_before: Moment::START,
            fresh: LiteMap::new(),
        }
    }

    /// The moment when the members are to be told of votes; `None` if there are none to tell of.
    pub(crate) fn due(&self) -> Option<Moment> {
        (!self.changed.is_empty()).then_some(self.not_before)
    }
}

/// The beginning of an update of the settings.
const SETTINGS: &[u8] = br#"{"type":"poll:settings","#;

/// The author's link, the command, and its `ack`.
type From = Option<(LinkId, CommandId, Bytes)>;

impl Owner {
    /// A command is about to be decided on. If it is no vote, the votes before it are told first.
    pub(super) fn before_command(&mut self, kind: Option<CommandKind>, now: Moment) {
        if kind != Some(CommandKind::Vote)
            && self.telling.due().is_some()
            && !planted::is_on(Fault::TellsLate)
        {
            self.tell_tally(now);
        }
    }

    /// Tells the members of an update, and its author the outcome.
    pub(super) fn relay(
        &mut self,
        author: PeerId,
        kind: Option<CommandKind>,
        frame: Bytes,
        from: From,
        now: Moment,
    ) {
        match kind {
            Some(
                kind @ (CommandKind::UpdateSettings
                | CommandKind::UpdateOption
                | CommandKind::RemovePeer),
            ) => {
                let affected = self.relay_change(kind, frame, from);
                if kind == CommandKind::RemovePeer {
                    self.turn_out(&affected);
                }
            }
            Some(CommandKind::Vote)
                if self.tells_together()
                    || !self.poll().is_open() && !planted::is_on(Fault::TellsVotes) =>
            {
                return self.relay_vote(author, frame, from, now);
            }
            Some(_) | None => {
                let link = from.as_ref().map(|(link, ..)| *link);
                self.acknowledge(from);
                self.broadcast(frame, link, About::State);
            }
        }
        self.telling.told = self.revision();
        if kind == Some(CommandKind::UpdateSettings) {
            self.telling.settled = self.revision();
        }
    }

    /// True if those who are shown each vote hear of the next one with others.
    fn tells_together(&self) -> bool {
        self.telling.keeps_choices
            || self.poll().ballots() == Ballots::Open
                && self.links.len() > self.config.tell_each_vote_up_to
    }

    fn acknowledge(&mut self, from: From) {
        if let Some((link, command_id, ack)) = from {
            self.send_frame(link, ack, About::Command(command_id));
        }
    }

    /// A change of what counts or is shown. Where not each vote is shown, those whom it concerns
    /// are told it with its effects, in one message, in place of the update. Returns whose vote it
    /// may concern.
    fn relay_change(&mut self, kind: CommandKind, frame: Bytes, from: From) -> Vec<PeerId> {
        let affected = self.affected(&frame);
        for peer in &affected {
            self.telling.changed.insert(*peer, ());
        }
        let is_secret = self.poll().ballots() == Ballots::Secret;
        let mut told: LiteMap<Shown, Vec<LinkId>> = LiteMap::new();
        let (mut anew, mut plainly) = (Vec::new(), Vec::new());
        for link in self.links.ids() {
            let poll = &self.sequencer.poll;
            let Some(session) = self.links.get_mut(link) else {
                continue;
            };
            let shown = poll.shown_to(session.peer);
            let is_changed = std::mem::replace(&mut session.shown, shown) != shown;
            if is_changed && !is_secret {
                anew.push(link);
            } else if is_changed || shown != Shown::Ballots && kind != CommandKind::UpdateSettings {
                told.entry(shown).or_default().push(link);
            } else {
                plainly.push(link);
            }
        }
        for (shown, links) in told {
            let frame = self.tally(shown, std::slice::from_ref(&frame));
            self.send_to_some(links, frame, None, About::State);
        }
        for link in anew {
            self.send_state(link);
        }
        self.telling.changed.clear();
        let link = from.as_ref().map(|(link, ..)| *link);
        self.acknowledge(from);
        self.send_to_some(plainly, frame, link, About::State);
        affected
    }

    /// The people who may have a vote after this update and had none before, or the reverse.
    fn affected(&self, frame: &Bytes) -> Vec<PeerId> {
        let limits = &Limits::unbounded();
        let command = Envelope::parse(frame, frame.len(), limits)
            .and_then(|envelope| Command::from_envelope(&envelope, limits));
        match command {
            Ok(Command::UpdateOption(update)) if update.withdrawn.is_some() => {
                let members = self.poll().members();
                let chose = members.filter(|(_, it)| it.choices.contains(&update.option_id));
                chose.map(|(peer, _)| peer).collect()
            }
            Ok(Command::RemovePeer(removal)) => vec![removal.peer_id],
            Ok(_) | Err(_) => Vec::new(),
        }
    }

    /// Ends the links of those who have just been removed.
    fn turn_out(&mut self, peers: &[PeerId]) {
        for peer in peers {
            for link in self.links.of_peer(*peer) {
                self.give_up(link, removed());
            }
        }
    }

    /// A vote is told at once to those who are shown each by itself, and to the other devices of
    /// its author. An author who is shown more or less with it is told so first. Everybody else
    /// hears of it in the next tally.
    fn relay_vote(&mut self, author: PeerId, frame: Bytes, from: From, now: Moment) {
        self.telling.changed.insert(author, ());
        let link = from.as_ref().map(|(link, ..)| *link);
        let shown = self.poll().shown_to(author);
        let mut own = self.links.of_peer(author);
        let is_changed =
            |this: &Self, link: &LinkId| this.links.get(*link).is_some_and(|it| it.shown != shown);
        if own.iter().any(|link| is_changed(self, link)) {
            let is_secret = self.poll().ballots() == Ballots::Secret;
            let tally = is_secret.then(|| self.tally(shown, std::slice::from_ref(&frame)));
            for link in std::mem::take(&mut own) {
                match &tally {
                    Some(tally) => self.send_frame(link, tally.clone(), About::State),
                    None => self.send_state(link),
                }
                if let Some(session) = self.links.get_mut(link) {
                    session.shown = shown;
                }
            }
        }
        let others = match self.poll().ballots() {
            Ballots::Open if self.tells_together() => {
                self.telling.keeps_choices = true;
                Vec::new()
            }
            Ballots::Open => {
                let shown = self.links.shown(Shown::Ballots);
                shown.map(|(link, _)| link).collect()
            }
            // Only the owner's.
            Ballots::Secret => self.links.of_peer(self.room.owner),
        };
        own.retain(|link| !others.contains(link));
        self.acknowledge(from);
        own.extend(others);
        self.send_to_some(own, frame, link, About::State);
        if self.telling.not_before <= now {
            self.tell_tally(now);
        }
    }

    /// Tells the members of the votes that have not been told yet.
    pub(super) fn tell_tally(&mut self, now: Moment) {
        let has_choices = std::mem::take(&mut self.telling.keeps_choices);
        let ballots = has_choices.then_some(Shown::Ballots);
        for shown in [Shown::Turnout, Shown::Tally].into_iter().chain(ballots) {
            if self.links.shown(shown).next().is_some() {
                let frame = self.tally(shown, &[]);
                self.send_to_shown(shown, frame, About::State);
            }
        }
        self.telling.told = self.revision();
        self.telling.changed.clear();
        self.telling.not_before = now + self.between_tallies();
    }

    /// Everything since the last telling as one message, with these updates.
    fn tally(&self, shown: Shown, updates: &[Bytes]) -> Bytes {
        let changed = self.telling.changed.keys().copied();
        self.tally_after(self.telling.told, shown, changed, updates)
    }

    fn tally_after(
        &self,
        after: Revision,
        shown: Shown,
        changed: impl Iterator<Item = PeerId>,
        updates: &[Bytes],
    ) -> Bytes {
        let poll = self.poll();
        let at = self.sequencer.position();
        if shown == Shown::Ballots {
            return PollTally {
                after,
                revision: at.revision,
                history: at.history,
                choices: poll.choices_by_place(changed),
                ..PollTally::default()
            }
            .encode_with(updates);
        }
        let turnout = poll.turnout();
        let (voted, withdrew) = match turnout {
            Some(_) => Default::default(),
            None => changed.partition(|peer| poll.has_voted(*peer)),
        };
        let is_shown = shown == Shown::Tally || planted::is_on(Fault::ShowsEarly);
        let tally = is_shown.then(|| poll.counts()).flatten();
        PollTally {
            after,
            revision: at.revision,
            history: at.history,
            updates: Vec::new(),
            tally,
            turnout,
            voted,
            withdrew,
            choices: Vec::new(),
        }
        .encode_with(updates)
    }

    /// Sends the present poll, as far as the member at the other end is shown it.
    pub(super) fn send_state(&mut self, link: LinkId) {
        let Some((peer, shown)) = self.show(link) else {
            return;
        };
        let frame = match shown {
            Shown::Ballots => self.sequencer.snapshot(),
            Shown::Turnout | Shown::Tally => self.present(peer, shown),
        };
        self.send_frame(link, frame, About::State);
    }

    /// Sends everybody but this one the present poll.
    pub(super) fn send_state_to_all_but(&mut self, link: LinkId) {
        // They belong to another epoch.
        self.telling.fresh = LiteMap::new();
        if self.poll().is_open() {
            let frame = self.sequencer.snapshot();
            return self.broadcast(frame, Some(link), About::State);
        }
        for other in self.links.ids() {
            if other != link {
                self.send_state(other);
            }
        }
    }

    /// The member at the other end, and how much it is shown from now on.
    fn show(&mut self, link: LinkId) -> Option<(PeerId, Shown)> {
        let session = self.links.get_mut(link)?;
        session.shown = self.sequencer.poll.shown_to(session.peer);
        Some((session.peer, session.shown))
    }

    /// The frames that bring a member from `known` to the present revision.
    pub(super) fn catch_up(&mut self, link: LinkId, known: Option<Revision>) -> Vec<Bytes> {
        let Some((peer, shown)) = self.show(link) else {
            return Vec::new();
        };
        let poll = self.poll();
        // A copy of an open poll may show more or less than is shown now.
        let base = known.or_else(|| self.sequencer.log.fresh_at());
        let may_differ = poll.ballots() == Ballots::Open
            && (poll.results() != Results::Live
                || base.is_some_and(|base| base < self.telling.settled));
        match shown {
            Shown::Ballots | Shown::Turnout if known == Some(self.revision()) => Vec::new(),
            Shown::Ballots if may_differ => vec![self.sequencer.snapshot()],
            Shown::Turnout if may_differ => vec![self.present(peer, shown)],
            Shown::Ballots => self.sequencer.catch_up(known),
            Shown::Turnout | Shown::Tally => self.catch_up_told(peer, shown, known),
        }
    }

    fn catch_up_told(&mut self, peer: PeerId, shown: Shown, known: Option<Revision>) -> Vec<Bytes> {
        let fresh = self.telling.fresh.get(&shown).cloned();
        let len = fresh.as_ref().map_or(0, |(_, payload)| payload.len());
        // To make the poll anew costs a look at each member, though it may have few bytes.
        let worth = len.max(BYTES_A_MEMBER * self.poll().members().len());
        if let Some(known) = known
            && let Some(missed) = self.missed(peer, known, worth.max(FEW_BYTES))
        {
            return self.tell_missed(known, shown, missed).into_iter().collect();
        }
        // Up to half its size in updates, an old poll and what has happened since cost less than a
        // new one.
        if let Some((at, payload)) = fresh
            && let Some(missed) = self.missed(peer, at, worth / 2)
            && !missed.changes_what_is_shown
        {
            let frame = self.told_at(peer, at, &payload);
            let missed = self.tell_missed(at, shown, missed);
            return std::iter::once(frame).chain(missed).collect();
        }
        vec![self.present(peer, shown)]
    }

    /// Everything that a member has missed, as one message; `None` if that is nothing.
    fn tell_missed(&self, known: Revision, shown: Shown, missed: Missed) -> Option<Bytes> {
        let Missed {
            changed, updates, ..
        } = missed;
        (known != self.revision())
            .then(|| self.tally_after(known, shown, changed.keys().copied(), &updates))
    }

    /// The part of the tail that a member has missed, as far as it is shown; `None` if it is not
    /// all there, or has more bytes than this: then nothing of it is read.
    fn missed(&self, peer: PeerId, known: Revision, max_bytes: usize) -> Option<Missed> {
        let (bytes, frames) = self.sequencer.log.since(known)?;
        if bytes > max_bytes as u64 {
            return None;
        }
        let mut missed = Missed::default();
        for frame in frames {
            let envelope = Envelope::parse(&frame, frame.len(), &Limits::unbounded()).ok()?;
            let author = envelope.author()?;
            let Ok(Kind::Command(kind)) = envelope.kind() else {
                return None;
            };
            let is_vote = kind == CommandKind::Vote;
            if is_vote {
                missed.changed.insert(author, ());
            }
            let is_change = matches!(
                kind,
                CommandKind::UpdateSettings | CommandKind::UpdateOption | CommandKind::RemovePeer
            );
            if is_change {
                for peer in self.affected(&frame) {
                    missed.changed.insert(peer, ());
                }
            }
            missed.changes_what_is_shown |= is_change || is_vote && author == peer;
            if author == peer || !is_vote {
                missed.updates.push(frame);
            }
        }
        Some(missed)
    }

    /// The present poll, for a member who is shown so much of it.
    fn present(&mut self, peer: PeerId, shown: Shown) -> Bytes {
        let present = self.revision();
        let fresh = self.telling.fresh.get(&shown).cloned();
        let (_, payload) = fresh.filter(|(at, _)| *at == present).unwrap_or_else(|| {
            let fresh = (present, self.poll().told(shown).encode_payload());
            self.telling.fresh.insert(shown, fresh.clone());
            fresh
        });
        self.told_at(peer, present, &payload)
    }

    /// The frame of a poll at a revision, with a member's own ballot as it is now.
    fn told_at(&self, peer: PeerId, revision: Revision, payload: &[u8]) -> Bytes {
        let mut at = self.sequencer.position();
        at.revision = revision;
        at.history = self.sequencer.mark_at(revision);
        Poll::encode_told(payload, at, self.poll().choices(peer))
    }
}

/// As many missed bytes are read in the time in which one member is looked at, roughly.
const BYTES_A_MEMBER: usize = 32;

/// The updates that a member has missed.
#[derive(Default)]
struct Missed {
    /// The people whose vote has changed.
    changed: LiteMap<PeerId, ()>,
    /// The updates that are no votes of others.
    updates: Vec<Bytes>,
    /// One of them may make a difference to how much the member is shown, or to its own ballot,
    /// which goes with an older poll as it is now.
    changes_what_is_shown: bool,
}

//! The guarantees: true at every step, whatever happens.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use hustings_protocol::{
    Command, CommandId, DeviceId, Epoch, ErrorCode, Limits, Member, Message, Outcome, PeerId, Poll,
    PollState, Position, Revision, Role, Seen, Seq, Shown, StoredJournal, StoredLog, StoredOutbox,
    Update, WINDOW,
};
use hustings_room::{CommandState, Connection, Event, Pending};

use super::ballots::{Ballots, Choice};
use super::history::Reader;
use super::invitations::{Invitations, says_invitations};
use super::scene::OWNER;
use super::schedule::{MAX_MEMBERS, MAX_STATE_BYTES, MAX_STRANGER_RECEIPTS};
use super::{Kind, Report, Violation, World, hold};

/// A command. Two devices may use one id: a hostile one uses those of others.
type Name = (PeerId, DeviceId, CommandId);

/// The fold of everything that has become durable at the owner, and the outbox of everybody else.
pub(crate) struct Oracle {
    limits: Limits,
    /// The limits of what people submit.
    submit_limits: Limits,
    /// The identity of each process.
    devices: Vec<(PeerId, DeviceId)>,
    /// Everybody hostile that there is.
    strangers: BTreeSet<PeerId>,
    world: World,
    /// The owner's journal as it is.
    line: Timeline,
    /// The journals that were lost when an old copy took their place.
    past: Vec<Timeline>,
    /// The numbers of commands in the history.
    numbers: BTreeMap<Name, usize>,
    /// The owner's journal has begun a new epoch, and nobody was told so yet.
    is_renewed: bool,
    /// True once nothing more goes wrong.
    is_over: bool,
    /// Commands of which nobody knows any more what became of them: outboxes are old copies.
    unknown: BTreeSet<Name>,
    /// Commands that somebody was told are durable.
    promised: BTreeSet<Name>,
    /// Everything that was ever in an outbox.
    queued: BTreeMap<Name, Command>,
    /// The places that the devices of these had seen, as they say.
    seen: BTreeMap<Name, Option<Seen>>,
    slots: Vec<Watched>,
    pub(crate) report: Report,
}

/// All that has become durable at the owner, from the first snapshot on.
#[derive(Clone, Default)]
pub(super) struct Timeline {
    /// The poll after everything that is durable.
    poll: Option<Poll>,
    /// The poll at each revision, of which others are told a part.
    polls: Vec<Poll>,
    epoch: Option<Epoch>,
    /// The poll at each revision, as bytes.
    states: Vec<Vec<u8>>,
    /// The update that made each revision after the first.
    updates: Vec<Bytes>,
    /// The last snapshot of the journal.
    snapshot: Option<(Epoch, Revision)>,
    /// The command that made each revision after the first, and its number.
    made: Vec<(Name, Seq)>,
    applied: BTreeMap<Name, Revision>,
    last_seq: BTreeMap<(PeerId, DeviceId), Seq>,
    /// The highest number of each device that has an outcome.
    last_answered: BTreeMap<(PeerId, DeviceId), Seq>,
    /// The commands that had their outcomes under the numbers of each device.
    answered: BTreeMap<(PeerId, DeviceId, Seq), CommandId>,
    outcomes: BTreeMap<Name, Outcome>,
    ballots: Ballots,
    invitations: Invitations,
    /// The rejections that people were told who may only look. The owner keeps none of them.
    passing: BTreeMap<Name, Vec<Outcome>>,
}

impl Timeline {
    /// A command was answered.
    fn has_outcome(&self, name: &Name) -> bool {
        self.outcomes.contains_key(name) || self.passing.contains_key(name)
    }

    /// The answers that a command may have had: one, if the owner has kept it.
    fn outcomes_of(&self, name: &Name) -> impl Iterator<Item = &Outcome> {
        let passing = self.passing.get(name).into_iter().flatten();
        self.outcomes.get(name).into_iter().chain(passing)
    }
}

/// A copy of a disk, as the oracle remembers it.
#[derive(Clone)]
pub(super) enum Copied {
    Journal(Box<Timeline>),
    Outbox(BTreeMap<Seq, CommandId>, Option<Seq>),
}

impl Copied {
    /// A copy of an empty disk.
    pub(super) const fn nothing() -> Self {
        Self::Outbox(BTreeMap::new(), None)
    }
}

/// The oracle's knowledge of one process.
#[derive(Default)]
struct Watched {
    /// Its outbox has been an old copy, or has lost something: numbers may go back.
    is_old: bool,
    /// The number of its starts.
    life: usize,
    /// Events were missed since its start, and it was told so.
    has_missed: bool,
    /// The commands that it has taken since its start.
    taken: BTreeSet<CommandId>,
    /// The entries of its outbox.
    pending: BTreeMap<Seq, CommandId>,
    next_seq: Option<Seq>,
    /// The highest that `next_seq` ever was: an owner that is an old copy may set it back.
    highest: Option<Seq>,
    told: BTreeSet<CommandId>,
    /// Those of which it was told last that they are applied.
    acknowledged: BTreeSet<CommandId>,
    sent: BTreeSet<CommandId>,
    /// Of the present process.
    revision: Option<Revision>,
    /// The revision that it showed at its last commit: whatever is in the next one, was asked for
    /// after that.
    shown_before: Option<Revision>,
    /// The poll that it shows, while there is more than one history.
    shown: Option<Vec<u8>>,
    /// The revision of which it shows another history than before, and was not told so yet.
    replaced: Option<Revision>,
    /// The last revision that it was told one of its commands has made.
    told_applied: Option<Revision>,
}

/// The sight of a room, through its handle.
pub(crate) struct View {
    pub(crate) pending: Vec<Pending>,
    pub(crate) revision: Option<Revision>,
    pub(crate) confirmed: Option<Arc<Poll>>,
    /// The poll with what is pending.
    pub(crate) seen: Option<Arc<Poll>>,
    /// True while no commit is under way.
    pub(crate) is_settled: bool,
}

fn bytes(poll: &Poll) -> Vec<u8> {
    let nowhere = Position {
        epoch: Epoch::new(0),
        revision: Revision::ZERO,
        history: None,
    };
    poll.encode_state(nowhere).to_vec()
}

const fn choice((author, device, id): Name) -> Choice {
    Choice { author, device, id }
}

/// True for a snapshot with what is the journal's alone.
fn says_casts(frame: &[u8]) -> bool {
    let name = br#""casts":"#;
    frame.windows(name.len()).any(|part| part == name)
}

/// True for what is said of a command whose number is another's, or comes too early.
const fn is_of_numbers(code: &ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::SeqGap | ErrorCode::SeqReused | ErrorCode::SeqForgotten
    )
}

/// True for a character of which nothing can be seen: the few that people type in these schedules.
const fn is_unseen(character: char) -> bool {
    matches!(
        character,
        ' ' | '\u{200b}' | '\u{2800}' | '\u{202a}'..='\u{202e}'
    )
}

/// A text can be seen, and shows what it is.
fn is_good(text: &str) -> bool {
    !text.is_empty() && !text.starts_with(is_unseen) && !text.ends_with(is_unseen)
}

/// The texts of a poll that may be new.
fn has_good_texts(poll: &Poll, author: PeerId) -> Result<(), Violation> {
    let mut labels = BTreeSet::new();
    for option in poll.options() {
        let label = &option.label;
        hold!(10, is_good(label), "{label:?} is a label");
        let is_first = labels.insert(label.to_lowercase());
        hold!(10, is_first, "two labels look like {label:?}");
    }
    let profile = poll.member(author).and_then(|it| it.profile.as_ref());
    if let Some(profile) = profile {
        hold!(10, is_good(&profile.name), "{:?} is a name", profile.name);
    }
    Ok(())
}

fn index(revision: Revision) -> usize {
    usize::try_from(revision.get()).unwrap_or(usize::MAX)
}

impl Oracle {
    pub(crate) fn new(devices: Vec<(PeerId, DeviceId)>, world: &World) -> Self {
        let mut submit_limits = Limits::default();
        if world.has(Kind::WiderLimits) {
            submit_limits.max_name_chars *= 2;
        }
        Self {
            limits: Limits::unbounded(),
            submit_limits,
            slots: devices.iter().map(|_| Watched::default()).collect(),
            devices,
            strangers: BTreeSet::new(),
            queued: BTreeMap::new(),
            seen: BTreeMap::new(),
            world: *world,
            line: Timeline::default(),
            past: Vec::new(),
            unknown: BTreeSet::new(),
            numbers: BTreeMap::new(),
            is_renewed: false,
            is_over: false,
            promised: BTreeSet::new(),
            report: Report::default(),
        }
    }

    /// Somebody hostile appears.
    pub(crate) fn meet(&mut self, stranger: PeerId) {
        self.strangers.insert(stranger);
    }

    /// The revision and the epoch of everything that is durable.
    pub(crate) fn present(&self) -> Option<(Epoch, Revision)> {
        let last = self.line.states.len().checked_sub(1)?;
        Some((self.line.epoch?, Revision::new(last as u64)?))
    }

    /// The members of the poll.
    pub(crate) fn members(&self) -> u64 {
        let poll = self.line.poll.as_ref();
        poll.map_or(0, |poll| poll.members().count() as u64)
    }

    fn name(&self, slot: usize, id: CommandId) -> Name {
        let (peer, device) = self.devices[slot];
        (peer, device, id)
    }

    // What becomes durable.

    /// The owner's journal has become this, in the midst of a commit or at its end.
    pub(crate) fn journal_grows(&mut self, journal: &StoredJournal) -> Result<(), Violation> {
        let (at, snapshot) = &journal.log.snapshot;
        // Decoded only where it may be another than the last.
        let mut is_new = self.line.snapshot.map(|(_, at)| at) != Some(*at);
        if is_new || self.is_forked() {
            let state = Message::decode(snapshot, &self.limits);
            let Ok(Message::PollState(state)) = state else {
                hold!(5, false, "the journal's snapshot is {state:?}");
                return Ok(());
            };
            is_new |= self.line.epoch != Some(state.epoch);
            if self.line.poll.is_none() {
                self.line.states.push(bytes(&state.poll));
                self.line.polls.push(state.poll.clone());
                self.line.poll = Some(state.poll.clone());
                self.line.epoch = Some(state.epoch);
            }
            let is_known = |line: &Timeline| line.epoch == Some(state.epoch);
            let is_first = self.line.epoch != Some(state.epoch)
                && self.is_forked()
                && !self.past.iter().any(is_known);
            if is_first {
                self.line.epoch = Some(state.epoch);
                self.report.epochs += 1;
                self.is_renewed = true;
            }
            hold!(
                4,
                self.line.epoch == Some(state.epoch),
                "the journal began anew, as {}",
                state.epoch
            );
            hold!(
                4,
                !is_new || self.line.snapshot.map(|(_, at)| at) < Some(*at) || is_first,
                "the snapshot at {at} follows {:?}",
                self.line.snapshot
            );
        }
        for (revision, frame) in &journal.log.tail {
            match self.line.updates.get(index(*revision) - 1) {
                Some(known) => hold!(5, known == frame, "the update {revision} has changed"),
                None => self.update_is(*revision, frame)?,
            }
        }
        if is_new {
            let state = Message::decode(snapshot, &self.limits);
            let Ok(Message::PollState(state)) = state else {
                return Ok(());
            };
            hold!(
                5,
                self.line.states.get(index(*at)) == Some(&bytes(&state.poll)),
                "the snapshot at {at} is not the poll after all updates"
            );
            let kept = PollState::decode_journaled(snapshot, &self.limits);
            let Ok(PollState { poll: kept, .. }) = kept else {
                hold!(5, false, "the snapshot at {at} does not read");
                return Ok(());
            };
            self.line.ballots.are_kept(&kept, *at)?;
            self.line.invitations.are_kept(&kept.issued(), *at)?;
            self.line.snapshot = Some((state.epoch, *at));
            self.report.snapshots += 1;
        }
        self.receipts_are(journal)
    }

    fn update_is(&mut self, revision: Revision, frame: &Bytes) -> Result<(), Violation> {
        hold!(
            4,
            index(revision) == self.line.states.len(),
            "revision {revision} follows {}",
            self.line.states.len() - 1
        );
        let message = Message::decode(frame, &self.limits);
        let Ok(Message::Update(update)) = message else {
            hold!(5, false, "the journal has {message:?}");
            return Ok(());
        };
        let numbered = &update.numbered;
        hold!(
            5,
            update.revision == revision,
            "{} is kept as {revision}",
            update.revision
        );
        let device = (update.author, update.device);
        let name = (update.author, update.device, numbered.command_id);
        self.asked_for(name);
        self.line.made.push((name, numbered.seq));
        let before = self.line.applied.insert(name, revision);
        hold!(
            1,
            before.is_none(),
            "{} took effect twice",
            numbered.command_id
        );
        hold!(
            10,
            numbered.command_id.as_uuid().get_version_num() == 7,
            "{} is an id that says nothing of when it was made",
            numbered.command_id
        );
        self.is_its_authors(&update)?;
        if let Command::Vote(_) = &numbered.command {
            let choice = choice(name);
            let seen = self.seen(name);
            let counts = self.line.ballots.counts(choice, revision, seen.as_deref());
            counts?;
        }
        let before = self.line.last_seq.insert(device, numbered.seq);
        hold!(
            7,
            before.is_none_or(|before| before < numbered.seq),
            "{} of {device:?} came after {before:?}",
            numbered.seq
        );
        let Some(poll) = &mut self.line.poll else {
            hold!(5, false, "an update and no snapshot");
            return Ok(());
        };
        let is_newcomer = poll.member(update.author).is_none();
        let command = &numbered.command;
        let invitations = &mut self.line.invitations;
        invitations.changes(poll, revision, update.author, command)?;
        let applied = poll.apply(update.author, &numbered.command, &self.limits);
        hold!(
            8,
            applied.is_ok(),
            "the journal has a refused command: {applied:?}"
        );
        self.line.invitations.are_counted(poll)?;
        let has_only_a_name = |member: &Member| {
            member.choices.is_empty() && member.role == Role::Voter && member.profile.is_some()
        };
        if self.world.has(Kind::Crowd)
            && is_newcomer
            && matches!(numbered.command, Command::SetProfile(_))
        {
            let names = poll.members().filter(|(_, it)| has_only_a_name(it)).count();
            hold!(
                10,
                names <= MAX_MEMBERS / 2,
                "{names} of {MAX_MEMBERS} members are names of people who have not voted"
            );
        }
        if let Command::AddOption(_) | Command::SetProfile(_) = &numbered.command {
            has_good_texts(poll, update.author)?;
        }
        self.line.states.push(bytes(poll));
        self.line.polls.push(poll.clone());
        self.line.updates.push(frame.clone());
        self.report.applied += 1;
        Ok(())
    }

    /// An effect is that of a command that its author has asked for.
    fn is_its_authors(&self, update: &Update) -> Result<(), Violation> {
        let device = (update.author, update.device);
        match self.devices.iter().position(|known| *known == device) {
            // Its own commands go through no outbox.
            Some(OWNER) => {}
            Some(slot) => {
                let name = self.name(slot, update.numbered.command_id);
                let queued = self.queued.get(&name);
                hold!(
                    10,
                    queued == Some(&update.numbered.command),
                    "{update:?} is not what {slot} has asked for, which is {queued:?}"
                );
            }
            None => hold!(
                10,
                self.strangers.contains(&update.author),
                "{update:?} is of nobody who is there"
            ),
        }
        Ok(())
    }

    /// The owner's journal has become this, at the end of a commit.
    pub(crate) fn journal_is(&mut self, journal: &StoredJournal) -> Result<(), Violation> {
        self.journal_grows(journal)?;
        self.line.ballots.are_whole(self.line.states.len() - 1);
        if self.world.has(Kind::Crowd) {
            self.strangers_are_few(journal, MAX_STRANGER_RECEIPTS)?;
        }
        if self.world.has(Kind::Invited) {
            self.strangers_are_few(journal, 0)?;
            self.report.invited = self.line.invitations.used() as u64;
        }
        for (id, revision) in &self.line.applied {
            hold!(
                2,
                self.line.outcomes.contains_key(id),
                "the update {revision} is durable and its receipt is not"
            );
        }
        Ok(())
    }

    /// True for somebody who may only look.
    fn is_passing(&self, slot: usize) -> bool {
        let (peer, _) = self.devices[slot];
        let poll = self
            .line
            .poll
            .as_ref()
            .filter(|_| self.world.has(Kind::Invited));
        slot != OWNER && poll.is_some_and(|poll| poll.member(peer).is_none())
    }

    /// Strangers are remembered as far as there is room.
    fn strangers_are_few(&self, journal: &StoredJournal, most: usize) -> Result<(), Violation> {
        let Some(poll) = &self.line.poll else {
            return Ok(());
        };
        let receipts = journal.receipts.iter();
        let is_owner = |author: PeerId| author == self.devices[OWNER].0;
        let of_strangers =
            receipts.filter(|(author, ..)| poll.member(*author).is_none() && !is_owner(*author));
        let count = of_strangers.count();
        hold!(
            10,
            count <= most,
            "the owner keeps {count} answers to strangers"
        );
        Ok(())
    }

    fn receipts_are(&mut self, journal: &StoredJournal) -> Result<(), Violation> {
        for (author, device, receipt) in &journal.receipts {
            let id = (*author, *device, receipt.command_id);
            let answered = self.line.last_answered.entry((*author, *device));
            let answered = answered.or_insert(receipt.seq);
            *answered = receipt.seq.max(*answered);
            let number = (*author, *device, receipt.seq);
            self.line.answered.insert(number, receipt.command_id);
            match self.line.outcomes.get(&id) {
                Some(known) => hold!(
                    1,
                    *known == receipt.outcome,
                    "{receipt:?} is a second outcome, after {known:?}"
                ),
                None => {
                    if let Outcome::Rejected(why) = &receipt.outcome {
                        self.report.rejected += 1;
                        if why.code == ErrorCode::Superseded {
                            self.is_superseded(id)?;
                        }
                    }
                    self.line.outcomes.insert(id, receipt.outcome.clone());
                }
            }
            let expected = match &receipt.outcome {
                Outcome::Applied(revision) => Some(revision),
                Outcome::Rejected(_) => None,
            };
            hold!(
                8,
                self.line.applied.get(&id) == expected,
                "the journal and the receipt disagree: {receipt:?}"
            );
        }
        Ok(())
    }

    /// A vote is answered that a newer one of its author makes void.
    fn is_superseded(&mut self, name: Name) -> Result<(), Violation> {
        self.report.superseded += 1;
        let command = self.queued.get(&name);
        hold!(
            13,
            matches!(command, None | Some(Command::Vote(_))),
            "{command:?} is no choice"
        );
        let seen = self.seen(name);
        let ballots = &self.line.ballots;
        ballots.is_superseded(choice(name), seen.as_deref())
    }

    /// The revision that a device had seen when it made a choice, as far as it counts.
    ///
    /// After histories were lost, it may be judged in the last epoch or in this one.
    fn seen(&self, name: Name) -> Option<Vec<u64>> {
        let (author, device, _) = name;
        if (author, device) == self.devices[OWNER] {
            // Whoever hosts has seen everything.
            return Some(vec![u64::MAX]);
        }
        let seen = *self.seen.get(&name)?;
        let of_this = seen.filter(|seen| self.line.epoch == Some(seen.epoch));
        let mut all = vec![of_this.map_or(0, |seen| seen.revision.get())];
        if self.is_forked() {
            all.extend([0, seen.map_or(0, |seen| seen.revision.get())]);
        }
        Some(all)
    }

    /// A participant's disk has become this.
    pub(crate) fn disk_is(
        &mut self,
        slot: usize,
        outbox: &StoredOutbox,
        cache: Option<&StoredLog>,
    ) -> Result<(), Violation> {
        let (peer, device) = self.devices[slot];
        let is_old = self.is_old(slot);
        let watched = &mut self.slots[slot];
        hold!(
            7,
            is_old || watched.next_seq <= Some(outbox.next_seq),
            "{slot} would use {} again",
            outbox.next_seq
        );
        watched.next_seq = Some(outbox.next_seq);
        watched.highest = watched.highest.max(watched.next_seq);
        let (mut pending, mut asks) = (BTreeMap::new(), Vec::new());
        for (seq, frame) in &outbox.entries {
            let message = Message::decode(frame, &self.limits);
            let Ok(Message::Command(numbered)) = message else {
                hold!(6, false, "the outbox has {message:?}");
                return Ok(());
            };
            let checked = numbered.command.check_lengths(&self.submit_limits);
            hold!(
                6,
                checked.is_ok(),
                "the outbox of {slot} has what nobody takes: {checked:?}"
            );
            let name = (peer, device, numbered.command_id);
            if !self.queued.contains_key(&name) {
                asks.push(name);
                let said = numbered.seen.map(|seen| seen.revision);
                hold!(
                    13,
                    is_old || said >= watched.shown_before,
                    "{slot} has shown {:?}, and {name:?} says that it has seen {said:?}",
                    watched.shown_before
                );
                let last = self.line.states.len() - 1;
                hold!(
                    13,
                    is_old || said.is_none_or(|said| index(said) <= last),
                    "{name:?} says that it has seen {said:?} of {last}"
                );
            }
            let said = *self.seen.entry(name).or_insert(numbered.seen);
            hold!(
                13,
                said == numbered.seen,
                "{name:?} had seen {said:?}, and says {:?} now",
                numbered.seen
            );
            self.queued.insert(name, numbered.command);
            pending.insert(*seq, numbered.command_id);
        }
        for (seq, id) in &watched.pending {
            let name = (peer, device, *id);
            let has_outcome = |line: &Timeline| line.has_outcome(&name);
            let has_moved = is_old && pending.values().any(|kept| kept == id);
            let is_settled = has_outcome(&self.line) || self.past.iter().any(has_outcome);
            if is_old && !has_moved && !is_settled {
                // Only if its number was used for another, long ago.
                let used = self.line.last_answered.get(&(peer, device));
                if used.is_some_and(|used| used >= seq) {
                    self.unknown.insert(name);
                    continue;
                }
            }
            hold!(
                1,
                pending.get(seq) == Some(id) || has_moved || is_settled,
                "{seq} of {slot} left the outbox without an outcome"
            );
        }
        watched.pending = pending;
        watched.shown_before = watched.revision;
        for name in asks {
            self.asked_for(name);
        }
        let Some(cache) = cache else { return Ok(()) };
        hold!(
            4,
            self.lines()
                .any(|line| index(cache.revision()) < line.states.len()),
            "{slot} keeps the poll at {} before it is durable",
            cache.revision()
        );
        Ok(())
    }

    // What leaves.

    /// A frame leaves a process; if it is the owner's and goes to one other, `to` says whose
    /// place that is.
    pub(crate) fn sent(
        &mut self,
        slot: usize,
        to: Option<Option<usize>>,
        frame: &[u8],
    ) -> Result<(), Violation> {
        hold!(
            10,
            slot != OWNER || !self.world.has(Kind::Invited) || !says_invitations(frame),
            "the owner tells others of an invitation"
        );
        match Message::decode(frame, &self.limits) {
            Ok(Message::Command(numbered)) => {
                let pending = self.slots[slot].pending.get(&numbered.seq);
                let name = self.name(slot, numbered.command_id);
                // What waits for a commit to be sent may have had its outcome in that same commit.
                let is_settled = self.queued.contains_key(&name) && self.line.has_outcome(&name);
                hold!(
                    3,
                    pending == Some(&numbered.command_id) || is_settled,
                    "{slot} sends {} which is not in its outbox",
                    numbered.command_id
                );
                let is_first = self.slots[slot].sent.insert(numbered.command_id);
                self.report.resent += u64::from(!is_first);
            }
            Ok(Message::Ack(ack)) => {
                let Some(Some(to)) = to else { return Ok(()) };
                let outcome = self.line.outcomes.get(&self.name(to, ack.command_id));
                hold!(
                    3,
                    outcome == Some(&Outcome::Applied(ack.revision)),
                    "the owner sends {ack:?} but {outcome:?} is durable"
                );
            }
            Ok(Message::Error(refusal)) => {
                // To the hostile it says more than what becomes of commands.
                if let (Some(command_id), Some(Some(to))) = (refusal.command_id, to) {
                    let name = self.name(to, command_id);
                    let code = &refusal.rejection.code;
                    if self.is_passing(to) && !self.line.outcomes.contains_key(&name) {
                        let passing = self.line.passing.entry(name).or_default();
                        passing.push(Outcome::Rejected(refusal.rejection.clone()));
                        return Ok(());
                    }
                    let outcome = self.line.outcomes.get(&name);
                    hold!(
                        8,
                        self.is_old(to) && is_of_numbers(code)
                            || outcome == Some(&Outcome::Rejected(refusal.rejection.clone())),
                        "the owner sends {refusal:?} but {outcome:?} is durable"
                    );
                }
            }
            Ok(Message::Update(update)) => hold!(
                3,
                index(update.revision) < self.line.states.len(),
                "the owner relays {} before it is durable",
                update.revision
            ),
            Ok(Message::PollState(_))
                if self.world.has(Kind::Small) && frame.len() > MAX_STATE_BYTES =>
            {
                hold!(
                    10,
                    false,
                    "the poll has {} bytes, and nobody can join",
                    frame.len()
                );
            }
            Ok(Message::PollState(_)) if says_casts(frame) => {
                hold!(10, false, "the owner tells others how choices were cast")
            }
            Ok(Message::PollState(mut state)) => {
                let kept = self.line.polls.get(index(state.revision));
                let told = match to {
                    Some(Some(to)) => {
                        let (peer, _) = self.devices[to];
                        state.poll.set_ballot(peer, &state.ballot);
                        kept.map(|poll| poll.told_to(peer))
                    }
                    // Of somebody hostile the name is not known here, nor what they have voted.
                    _ => kept.map(|poll| poll.told(state.poll.shown())),
                };
                hold!(
                    3,
                    told.as_ref().map(bytes) == Some(bytes(&state.poll)),
                    "the owner sends a poll at {} that is not durable, or not for its recipient",
                    state.revision
                );
            }
            Ok(Message::PollTally(tally)) => {
                let Some(kept) = self.line.polls.get(index(tally.revision)) else {
                    hold!(
                        3,
                        false,
                        "the owner tells {} before it is durable",
                        tally.revision
                    );
                    return Ok(());
                };
                hold!(
                    4,
                    tally.voted.iter().all(|peer| kept.has_voted(*peer))
                        && !tally.withdrew.iter().any(|peer| kept.has_voted(*peer)),
                    "the owner tells at {} of voters who are none, or the reverse",
                    tally.revision
                );
                let people = tally.choices.iter().map(|(peer, _)| *peer);
                hold!(
                    4,
                    kept.choices_by_place(people) == tally.choices,
                    "the owner tells at {} of choices that nobody has made",
                    tally.revision
                );
                if let Some(Some(to)) = to {
                    let (peer, _) = self.devices[to];
                    let shown = kept.told_to(peer).shown();
                    hold!(
                        4,
                        (shown == Shown::Tally) == tally.tally.is_some()
                            && (shown != Shown::Ballots) == tally.choices.is_empty(),
                        "{to} is told a tally at {} and may have {shown:?}",
                        tally.revision
                    );
                    let is_anothers = |update: &Update| {
                        matches!(update.numbered.command, Command::Vote(_)) && update.author != peer
                    };
                    hold!(
                        4,
                        !tally.updates.iter().any(is_anothers),
                        "{to} is told the vote of somebody else"
                    );
                }
            }
            Ok(
                Message::Discovery(_)
                | Message::SyncRequest(_)
                | Message::Hello(_)
                | Message::Challenge(_)
                | Message::Proof(_)
                | Message::Ping
                | Message::Pong,
            ) => {}
            Err(error) => hold!(10, false, "{slot} sends what cannot be read: {error}"),
        }
        Ok(())
    }

    // What people are told and shown.

    /// A process tells its application something.
    pub(crate) fn told(&mut self, slot: usize, event: &Event) -> Result<(), Violation> {
        let Event::Command { command_id, state } = event else {
            // Honest peers commit no faults, but silence looks like a handshake that takes too
            // long.
            let is_fault = match event {
                Event::Fault { rejection, .. } => {
                    let is_old = self.world.has_old_copies() && is_of_numbers(&rejection.code);
                    // Whoever was removed may try to come back.
                    let was_removed = rejection.code == ErrorCode::Removed;
                    let may_be = was_removed && self.world.has(Kind::Moderated);
                    rejection.code != ErrorCode::HandshakeFailed && !is_old && !may_be
                }
                Event::JournalRolledBack { .. } => {
                    self.is_renewed = false;
                    slot != OWNER || !self.is_forked()
                }
                Event::HistoryReplaced { .. } => {
                    let watched = &mut self.slots[slot];
                    // The new one may be at the same revision.
                    (watched.replaced, watched.shown) = (None, None);
                    slot == OWNER || !self.is_forked()
                }
                // Whoever looks after each step of a driver misses what is told in one.
                Event::Missed { .. } => {
                    self.slots[slot].has_missed = true;
                    self.report.missed += 1;
                    false
                }
                // Hostile peers take what links there are.
                Event::Full(_) => slot != OWNER,
                Event::Connection(_)
                | Event::PollChanged { .. }
                | Event::Command { .. }
                | Event::PeersChanged(_) => false,
                // A new one is to be judged here.
                _ => true,
            };
            hold!(10, !is_fault, "{slot} tells {event:?}");
            return Ok(());
        };
        if *state != CommandState::Queued {
            // Each further step says that the ones before it are done.
            self.is_kept(slot, *command_id)?;
        }
        if !state.is_final() {
            return Ok(());
        }
        let name = self.name(slot, *command_id);
        if *state == CommandState::OutcomeUnknown {
            // It may have been answered, as long as the owner may have forgotten how.
            let is_unknown = self.unknown.contains(&name)
                || self.slots[slot].is_old && self.lines().any(|line| line.has_outcome(&name));
            hold!(2, is_unknown, "{slot} does not know what {command_id} is");
            self.slots[slot].told.insert(*command_id);
            return Ok(());
        }
        let outcome = self.line.outcomes.get(&name).cloned();
        let is_of = |line: &Timeline| {
            let mut outcomes = line.outcomes_of(&name).cloned();
            outcomes.any(|outcome| CommandState::from(outcome) == *state)
        };
        hold!(
            2,
            self.lines().any(is_of),
            "{slot} tells {state:?} of {command_id} but {outcome:?} is durable"
        );
        // What an old journal has lost is offered again, and told again.
        hold!(
            1,
            self.slots[slot].told.insert(*command_id) || self.is_forked(),
            "{command_id} was told twice"
        );
        let acknowledged = &mut self.slots[slot].acknowledged;
        if let CommandState::Applied(_) = state {
            acknowledged.insert(*command_id);
        } else {
            acknowledged.remove(command_id);
        }
        if let Some(number) = self.numbers.get(&name) {
            let is_applied = matches!(state, CommandState::Applied(_));
            self.report.history.hears(*number, is_applied);
        }
        if let CommandState::Applied(revision) = state
            && !self.world.has(Kind::ReadsLess)
        {
            let last = &mut self.slots[slot].told_applied;
            *last = (*last).max(Some(*revision));
        }
        Ok(())
    }

    /// The submitter is told that the command is durable.
    pub(crate) fn promised(&mut self, slot: usize, id: CommandId) -> Result<(), Violation> {
        self.promised.insert(self.name(slot, id));
        self.slots[slot].taken.insert(id);
        self.is_kept(slot, id)
    }

    /// The submitter is told how it ended.
    pub(crate) fn answered(
        &self,
        slot: usize,
        id: CommandId,
        outcome: &Outcome,
    ) -> Result<(), Violation> {
        let name = self.name(slot, id);
        let durable = self.line.outcomes.get(&name);
        hold!(
            2,
            self.lines()
                .any(|line| line.outcomes_of(&name).any(|it| it == outcome)),
            "{id} is told to be {outcome:?} but {durable:?} is durable"
        );
        Ok(())
    }

    fn is_kept(&self, slot: usize, id: CommandId) -> Result<(), Violation> {
        let mut pending = self.slots[slot].pending.values();
        let name = self.name(slot, id);
        let is_told =
            self.unknown.contains(&name) || self.lines().any(|line| line.has_outcome(&name));
        hold!(
            3,
            pending.any(|kept| *kept == id) || is_told,
            "{id} of {slot} is said to be durable"
        );
        Ok(())
    }

    /// A participant after a step.
    pub(crate) fn check_participant(&mut self, slot: usize, view: &View) -> Result<(), Violation> {
        let watched = &self.slots[slot];
        if self.is_old(slot) {
            // Numbers change, and the present one is only known between two commits.
            let kept: BTreeSet<_> = watched.pending.values().collect();
            let shown: BTreeSet<_> = view.pending.iter().map(|it| &it.command_id).collect();
            hold!(
                6,
                !view.is_settled || kept == shown,
                "{slot} shows {shown:?}, its outbox has {kept:?}"
            );
            return self.shows_what_was(slot, view);
        }
        let is_durable = |pending: &&Pending| pending.state != CommandState::Queued;
        let shown: BTreeMap<Seq, CommandId> = view
            .pending
            .iter()
            .filter(is_durable)
            .map(|pending| (pending.seq, pending.command_id))
            .collect();
        // A command that the commit under way takes out of the outbox is no longer shown.
        let missing = watched.pending.iter().filter(|(seq, id)| {
            shown.get(seq) != Some(id)
                && (view.is_settled || !self.line.has_outcome(&self.name(slot, **id)))
        });
        let missing: Vec<_> = missing.collect();
        hold!(
            6,
            missing.is_empty(),
            "{slot} does not show {missing:?}, which its outbox has"
        );
        let mut extra = shown.iter();
        hold!(
            6,
            extra.all(|(seq, id)| watched.pending.get(seq) == Some(id)),
            "{slot} has {shown:?} pending, its outbox {:?}",
            watched.pending
        );
        hold!(
            6,
            !view.is_settled || shown.len() == view.pending.len(),
            "{slot} has something queued that nobody writes: {:?}",
            view.pending
        );
        hold!(
            6,
            watched.told_applied <= view.revision || self.shows_own_vote(slot, view),
            "{slot} was told that a command of its made {:?}, and shows the poll at {:?} without it",
            watched.told_applied,
            view.revision
        );
        self.shows_what_was(slot, view)
    }

    /// The owner after a step.
    pub(crate) fn check_owner(&mut self, slot: usize, view: &View) -> Result<(), Violation> {
        let last = self.line.states.len() - 1;
        let at = view.revision.map(index);
        hold!(
            2,
            at >= Some(last),
            "the owner is at {at:?}, {last} is durable"
        );
        if !view.is_settled {
            return Ok(());
        }
        hold!(
            4,
            !self.is_renewed,
            "the owner's journal is an old copy, and nobody is told"
        );
        hold!(
            3,
            at == Some(last),
            "the owner is at {at:?}, {last} is kept"
        );
        self.shows_what_was(slot, view)
    }

    /// Of votes that are told together one has one's own at once, and those before it a moment
    /// later.
    fn shows_own_vote(&self, slot: usize, view: &View) -> bool {
        let (peer, _) = self.devices[slot];
        let at = self.slots[slot].told_applied.map(index);
        let Some((at, seen)) = at.zip(view.seen.as_ref()) else {
            return false;
        };
        // The next one may have its answer, too, which is told with the next commit.
        let mut since = self.line.polls.iter().skip(at);
        let is_pending = |it: &Pending| matches!(it.command, Command::Vote(_));
        since.any(|kept| kept.choices(peer) == seen.choices(peer))
            || view.pending.iter().any(is_pending)
    }

    fn shows_what_was(&mut self, slot: usize, view: &View) -> Result<(), Violation> {
        let before = self.slots[slot].revision;
        hold!(
            4,
            before <= view.revision || slot != OWNER && self.is_forked(),
            "{slot} went back from {before:?} to {:?}",
            view.revision
        );
        if before != view.revision
            && let (Some(revision), Some(poll)) = (view.revision, &view.confirmed)
        {
            let mut members = poll.members();
            hold!(
                10,
                slot == OWNER || members.all(|(peer, _)| poll.cast(peer).is_none()),
                "{slot} knows how choices were cast"
            );
            hold!(
                4,
                {
                    let shown = bytes(poll);
                    let is_it = |line: &Timeline| {
                        self.told_at(slot, line, index(revision)) == Some(shown.clone())
                    };
                    is_it(&self.line) || slot != OWNER && self.past.iter().any(is_it)
                },
                "{slot} shows a poll at {revision} that never was"
            );
            self.shows_history(slot, before, revision, poll);
        }
        let replaced = self.slots[slot].replaced;
        hold!(
            4,
            !view.is_settled || replaced.is_none(),
            "{slot} has another history than that of {replaced:?}, and is not told"
        );
        if before != view.revision
            && let Some(revision) = view.revision
        {
            self.reads(slot, revision);
        }
        self.slots[slot].revision = view.revision;
        Ok(())
    }

    /// The poll at a revision, as far as somebody is told of it.
    fn told_at(&self, slot: usize, line: &Timeline, at: usize) -> Option<Vec<u8>> {
        if slot == OWNER {
            return line.states.get(at).cloned();
        }
        let (peer, _) = self.devices[slot];
        line.polls.get(at).map(|poll| bytes(&poll.told_to(peer)))
    }

    /// Somebody is shown one poll after another: whoever is shown that of another history has to be
    /// told so, once it is durable.
    fn shows_history(&mut self, slot: usize, before: Option<Revision>, now: Revision, poll: &Poll) {
        let shows = bytes(poll);
        let shown = self.slots[slot].shown.replace(shows.clone());
        if let (Some(before), Some(shown)) = (before, shown)
            && slot != OWNER
            && self.is_forked()
        {
            // It may still be catching up with the one that was lost.
            let has = |line: &Timeline, at, poll: &Vec<u8>| {
                self.told_at(slot, line, index(at)).as_ref() == Some(poll)
            };
            let has_both = |line| has(line, before, &shown) && has(line, now, &shows);
            if !self.lines().any(has_both) {
                self.slots[slot].replaced = Some(before);
            }
        }
    }

    /// A process starts from what was durable.
    pub(crate) fn restarts(&mut self, slot: usize) {
        self.slots[slot].shown = None;
        self.slots[slot].replaced = None;
        if slot == OWNER {
            self.is_renewed = false;
        }
        self.slots[slot].revision = None;
        self.slots[slot].shown_before = None;
        self.slots[slot].told_applied = None;
        self.slots[slot].life += 1;
        self.slots[slot].has_missed = false;
        self.slots[slot].taken.clear();
    }

    // The history.

    fn asked_for(&mut self, name: Name) {
        if !self.numbers.contains_key(&name) {
            let number = self.report.history.asks(name.0, name.1);
            self.numbers.insert(name, number);
        }
    }

    /// Somebody shows the poll at a revision.
    fn reads(&mut self, slot: usize, revision: Revision) {
        let made = self.line.made.iter().take(index(revision));
        let effects = made.filter_map(|(name, _)| self.numbers.get(name).copied());
        let effects = effects.collect();
        let reader = Reader {
            slot,
            life: self.slots[slot].life,
            is_fresh: slot == OWNER || self.is_over,
        };
        self.report.history.reads(reader, effects);
    }

    // Old copies.

    /// True once the owner's journal has been put back to an earlier copy.
    fn is_forked(&self) -> bool {
        !self.past.is_empty()
    }

    /// True once this side's numbers may be others than they were.
    fn is_old(&self, slot: usize) -> bool {
        self.is_forked() || self.slots[slot].is_old
    }

    /// The commands of a device that journals which are lost have applied, as it was told: those
    /// among its last numbers, which it remembers.
    ///
    /// Not where the present journal has another command under the number: then the device has
    /// used it on both sides of a fork, and believes the owner that it is answered.
    fn last_acknowledged(&self, slot: usize) -> Vec<Name> {
        let (peer, device) = self.devices[slot];
        let watched = &self.slots[slot];
        let next = watched.highest.map_or(0, Seq::get);
        let is_remembered = |((p, d, id), seq): &(Name, Seq)| {
            let answered = self.line.answered.get(&(peer, device, *seq));
            (*p, *d) == (peer, device)
                && seq.get() + WINDOW >= next
                && watched.acknowledged.contains(id)
                && answered.is_none_or(|answered| answered == id)
        };
        let lost = self.past.iter().flat_map(|line| &line.made);
        let remembered = lost.filter(|it| is_remembered(it));
        remembered.map(|(name, _)| *name).collect()
    }

    /// The present journal, and those that were lost.
    fn lines(&self) -> impl Iterator<Item = &Timeline> {
        std::iter::once(&self.line).chain(&self.past)
    }

    /// Somebody makes a copy of a disk.
    pub(super) fn copied(&self, slot: usize) -> Copied {
        match slot {
            OWNER => Copied::Journal(Box::new(self.line.clone())),
            _ => {
                let Watched {
                    pending, next_seq, ..
                } = &self.slots[slot];
                Copied::Outbox(pending.clone(), *next_seq)
            }
        }
    }

    /// A disk is put back to a copy of it.
    pub(super) fn put_back(&mut self, slot: usize, copied: Copied) {
        self.report.put_back += 1;
        match copied {
            Copied::Journal(line) => self.past.push(std::mem::replace(&mut self.line, *line)),
            Copied::Outbox(pending, next_seq) => {
                let watched = &mut self.slots[slot];
                watched.is_old = true;
                for id in pending.values() {
                    watched.told.remove(id);
                }
                (watched.pending, watched.next_seq) = (pending, next_seq);
                self.forget_promises(slot);
            }
        }
    }

    /// The record of one command is no longer in an outbox.
    pub(super) fn loses(&mut self, slot: usize, seq: Seq) {
        let watched = &mut self.slots[slot];
        watched.is_old = true;
        watched.pending.remove(&seq);
        self.report.put_back += 1;
        self.forget_promises(slot);
    }

    /// The numbers in an outbox.
    pub(super) fn numbers(&self, slot: usize) -> Vec<Seq> {
        self.slots[slot].pending.keys().copied().collect()
    }

    /// A command that is in no outbox any more, and has no outcome yet, is lost.
    fn forget_promises(&mut self, slot: usize) {
        let (peer, device) = self.devices[slot];
        let (pending, line, past) = (&self.slots[slot].pending, &self.line, &self.past);
        self.promised.retain(|name| {
            let has_outcome = |line: &Timeline| line.has_outcome(name);
            (name.0, name.1) != (peer, device)
                || pending.values().any(|id| *id == name.2)
                || has_outcome(line)
                || past.iter().any(has_outcome)
        });
    }

    /// The end of the schedule: there was time for everything to come right.
    pub(crate) fn converged(
        &mut self,
        slot: usize,
        connection: &Connection,
        revision: Option<Revision>,
        confirmed: Option<&Poll>,
        peers: &[BTreeSet<(PeerId, DeviceId)>; 2],
    ) -> Result<(), Violation> {
        let last = self.line.states.len() - 1;
        self.is_over = true;
        if let Some(revision) = revision {
            self.reads(slot, revision);
        }
        hold!(
            9,
            *connection == Connection::Connected,
            "{slot} is {connection:?}"
        );
        hold!(
            9,
            self.slots[slot].pending.is_empty(),
            "{slot} has commands pending"
        );
        hold!(
            9,
            revision.map(index) == Some(last),
            "{slot} is at {revision:?}, the owner at {last}"
        );
        hold!(
            9,
            confirmed.map(bytes) == self.told_at(slot, &self.line, last),
            "{slot} shows another poll than the owner at {last}"
        );
        let Watched {
            taken,
            told,
            has_missed,
            ..
        } = &self.slots[slot];
        let untold = taken.difference(told).next();
        hold!(
            1,
            *has_missed || untold.is_none(),
            "{slot} was never told what became of {untold:?}, nor that it has missed anything"
        );
        let [here, at_the_owner] = peers;
        hold!(
            9,
            here == at_the_owner,
            "{slot} thinks that {here:?} are there, the owner {at_the_owner:?}"
        );
        if !self.slots[slot].is_old {
            for name in self.last_acknowledged(slot) {
                let has_outcome = self.line.outcomes.contains_key(&name);
                hold!(
                    2,
                    has_outcome,
                    "{name:?} was acknowledged by a journal that is lost, and was not offered again"
                );
            }
        }
        // What others have asked for comes right where they are.
        let is_its = |name: &&Name| {
            let device = (name.0, name.1);
            device == self.devices[slot] || device == self.devices[OWNER]
        };
        for name in self.promised.iter().filter(is_its) {
            let has_outcome = |line: &Timeline| line.has_outcome(name);
            hold!(
                1,
                self.unknown.contains(name) || self.lines().any(has_outcome),
                "{name:?} was durable and has no outcome"
            );
        }
        Ok(())
    }
}

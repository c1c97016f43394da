//! `poll:tally`: what has happened since the last message, where each vote is not told by itself.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::envelope::{Fields, encode};
use crate::{
    DecodeError, Envelope, ErrorCode, HistoryMark, Kind, Limits, Message, OptionId, PeerId, Poll,
    Rejection, Revision, Shown, Update,
};

/// Everything that has happened to a poll after one revision and up to another, as it is told to
/// people who are not shown each other's choices; and to those who are, if they are many.
///
/// Numbers and choices are absolute, so that the last message is right whatever came before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PollTally {
    /// A copy at this revision, or at a later one up to `revision`, needs no more than this
    /// message.
    pub after: Revision,
    /// The revision that the copy then has.
    pub revision: Revision,
    /// The owner's mark of the history up to there.
    pub history: Option<HistoryMark>,
    /// The updates that are no votes of others, if they have not been told by themselves.
    pub updates: Vec<Update>,
    /// The votes of each option, in their order; `None` where these are not shown.
    pub tally: Option<Vec<u32>>,
    /// The number of people who have a vote, [where they are not named](Poll::turnout).
    pub turnout: Option<u32>,
    /// The people who have a vote, and perhaps had none before.
    pub voted: Vec<PeerId>,
    /// The people who have none any more.
    pub withdrew: Vec<PeerId>,
    /// The people who have voted anew, each with the places of the options that they choose; empty
    /// but for copies that [show each choice](Shown::Ballots), which are told none of the other
    /// three.
    pub choices: Vec<(PeerId, Vec<u32>)>,
}

#[derive(Serialize, Deserialize)]
struct Payload<'a> {
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    updates: Vec<&'a RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tally: Option<Vec<u32>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    turnout: Option<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    voted: Vec<PeerId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    withdrew: Vec<PeerId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    choices: Vec<(PeerId, Vec<u32>)>,
}

impl PollTally {
    pub(crate) fn encode(&self) -> Bytes {
        let updates = self.updates.iter();
        let updates: Vec<Bytes> = updates
            .map(|update| Message::Update(update.clone()).encode())
            .collect();
        self.encode_with(&updates)
    }

    /// The frame of the message, with these frames of updates in place of its own
    /// [updates](Self::updates).
    #[must_use]
    pub fn encode_with(&self, updates: &[Bytes]) -> Bytes {
        let updates = updates.iter();
        let updates = updates.filter_map(|frame| serde_json::from_slice(frame).ok());
        let payload = Payload {
            updates: updates.collect(),
            tally: self.tally.clone(),
            turnout: self.turnout,
            voted: self.voted.clone(),
            withdrew: self.withdrew.clone(),
            choices: self.choices.clone(),
        };
        let fields = Fields {
            after: Some(self.after),
            revision: Some(self.revision),
            history: self.history,
            ..Fields::default()
        };
        encode(Kind::PollTally, fields, &payload)
    }

    pub(crate) fn from_envelope(
        envelope: &Envelope<'_>,
        limits: &Limits,
    ) -> Result<Self, DecodeError> {
        let fields = &envelope.fields;
        let after = envelope.require(fields.after, "after")?;
        let revision = envelope.require(fields.revision, "revision")?;
        let payload: Payload<'_> = envelope.object()?;
        let bad = |message| Err(envelope.refuse(ErrorCode::BadField, message));
        if after > revision {
            return bad("poll:tally ends before it begins");
        }
        let mut updates: Vec<Update> = Vec::new();
        for raw in payload.updates {
            let inner = Envelope::parse(raw.get().as_bytes(), limits.max_frame_bytes, limits)?;
            // A liar may put one into another, which the depth bounds; an update has none.
            let Kind::Command(_) = inner.kind()? else {
                return bad("poll:tally has a message in it that is no update");
            };
            let Message::Update(update) = Message::from_envelope(&inner, limits)? else {
                return bad("poll:tally has a command in it that is no update");
            };
            let last = updates.last().map_or(after, |last| last.revision);
            if update.revision <= last || update.revision > revision {
                return bad("the updates in poll:tally are not in order");
            }
            updates.push(update);
        }
        let names = payload.voted.len() + payload.withdrew.len();
        if payload.turnout.is_some() && names > 0 {
            return bad("poll:tally counts the voters, and names some");
        }
        let shows_none = payload.tally.is_some() || payload.turnout.is_some() || names > 0;
        if !payload.choices.is_empty() && shows_none {
            return bad("poll:tally has choices, and numbers or names in place of choices");
        }
        let most = limits.max_members;
        let lists = [&payload.voted, &payload.withdrew].map(Vec::len);
        if lists.into_iter().any(|len| len > most) || payload.choices.len() > most {
            let message = format!("poll:tally names at most {most} people");
            return Err(envelope.refuse(ErrorCode::TooLong, message));
        }
        Ok(Self {
            after,
            revision,
            history: fields.history,
            updates,
            tally: payload.tally,
            turnout: payload.turnout,
            voted: payload.voted,
            withdrew: payload.withdrew,
            choices: payload.choices,
        })
    }
}

impl Poll {
    /// Takes what has happened after revision `at`, or changes nothing.
    ///
    /// # Errors
    ///
    /// `unexpected` if it shows more or less than this copy, and the reason why it does not fit
    /// otherwise.
    pub fn take_tally(
        &mut self,
        told: &PollTally,
        at: Revision,
        limits: &Limits,
    ) -> Result<(), Rejection> {
        let shows_choices = self.shown == Shown::Ballots;
        if shows_choices == told.choices.is_empty() {
            let message = if shows_choices {
                "this tally is for copies that do not show each vote"
            } else {
                "this tally is for copies that show each vote"
            };
            return Err(Rejection::new(ErrorCode::Unexpected, message));
        }
        let mut poll = self.clone();
        let missing = told.updates.iter().filter(|update| update.revision > at);
        for update in missing {
            poll.apply(update.author, &update.numbered.command, limits)?;
        }
        if shows_choices {
            poll.take_choices(&told.choices, limits)?;
        } else {
            poll.take_counts(told, limits)?;
        }
        *self = poll;
        Ok(())
    }

    /// Takes the numbers, and the names of those who have voted.
    fn take_counts(&mut self, told: &PollTally, limits: &Limits) -> Result<(), Rejection> {
        for peer in &told.voted {
            let member = self.member_mut(*peer, limits)?;
            // One's own choice is shown.
            member.voted = member.choices.is_empty();
        }
        for peer in &told.withdrew {
            self.member_mut(*peer, limits)?.voted = false;
        }
        match told.turnout {
            Some(turnout) if self.names_voters() => self.name_no_voters(turnout),
            Some(turnout) => self.turnout = Some(turnout),
            None if self.names_voters() && !self.has_many_members() => {}
            None => {
                let message = "the voters of this poll are counted, and the tally names some";
                return Err(Rejection::new(ErrorCode::Unexpected, message));
            }
        }
        self.tally.clone_from(&told.tally);
        self.shown = match self.tally {
            Some(_) => Shown::Tally,
            None => Shown::Turnout,
        };
        self.check_shown()
    }

    /// Takes the choices of people who have voted anew.
    fn take_choices(
        &mut self,
        choices: &[(PeerId, Vec<u32>)],
        limits: &Limits,
    ) -> Result<(), Rejection> {
        for (peer, places) in choices {
            let at = |place: &u32| self.options.get(usize::try_from(*place).ok()?);
            let chosen: Option<Vec<_>> = places
                .iter()
                .map(|place| Some(at(place)?.option_id))
                .collect();
            let Some(chosen) = chosen else {
                let message = format!("this poll has {} options, and no more", self.options.len());
                return Err(Rejection::new(ErrorCode::UnknownOption, message));
            };
            // Each of them was found among the options.
            self.check_choices(&chosen, |_| true, limits)?;
            self.member_mut(*peer, limits)?.choices = chosen;
        }
        Ok(())
    }

    /// The choices of these people by the places of the options, as
    /// [`PollTally::choices`] has them; of a poll that shows them.
    pub fn choices_by_place(
        &self,
        people: impl Iterator<Item = PeerId>,
    ) -> Vec<(PeerId, Vec<u32>)> {
        let place = |choice: &OptionId| u32::try_from(self.options.position(*choice)?).ok();
        let of = |peer| self.choices(peer).iter().filter_map(place).collect();
        people.map(|peer| (peer, of(peer))).collect()
    }
}

//! `poll:tally`: what has happened since the last message, in a poll that does not show each vote.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::envelope::{Fields, encode};
use crate::{
    DecodeError, Envelope, ErrorCode, HistoryMark, Kind, Limits, Message, PeerId, Poll, Rejection,
    Revision, Shown, Update,
};

/// Everything that has happened to a poll after one revision and up to another, as it is told to
/// people who are not shown each other's choices.
///
/// The numbers are absolute, so that the last message is right whatever came before it.
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
        let most = limits.max_members;
        if payload.voted.len() > most || payload.withdrew.len() > most {
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
        })
    }
}

impl Poll {
    /// Takes what has happened after revision `at` to a poll that shows no choices of others, or
    /// changes nothing.
    ///
    /// # Errors
    ///
    /// `unexpected` if the poll shows all choices, and the reason why it does not fit otherwise.
    pub fn take_tally(
        &mut self,
        told: &PollTally,
        at: Revision,
        limits: &Limits,
    ) -> Result<(), Rejection> {
        if self.shown == Shown::Ballots {
            let message = "a tally is for copies that do not show each vote";
            return Err(Rejection::new(ErrorCode::Unexpected, message));
        }
        let mut poll = self.clone();
        let missing = told.updates.iter().filter(|update| update.revision > at);
        for update in missing {
            poll.apply(update.author, &update.numbered.command, limits)?;
        }
        for peer in &told.voted {
            let member = poll.member_mut(*peer, limits)?;
            // One's own choice is shown.
            member.voted = member.choices.is_empty();
        }
        for peer in &told.withdrew {
            poll.member_mut(*peer, limits)?.voted = false;
        }
        match told.turnout {
            Some(turnout) if poll.names_voters() => poll.name_no_voters(turnout),
            Some(turnout) => poll.turnout = Some(turnout),
            None if poll.names_voters() && !poll.has_many_members() => {}
            None => {
                let message = "the voters of this poll are counted, and the tally names some";
                return Err(Rejection::new(ErrorCode::Unexpected, message));
            }
        }
        poll.tally = told.tally.clone();
        poll.shown = match poll.tally {
            Some(_) => Shown::Tally,
            None => Shown::Turnout,
        };
        poll.check_shown()?;
        *self = poll;
        Ok(())
    }
}

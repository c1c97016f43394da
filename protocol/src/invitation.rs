//! Invitations: one-time secrets, each of which makes a voter of the first person that redeems it.
//!
//! The secret is in the link that one person is given. An owner keeps its [id](InvitationId), which
//! is a hash of it: whoever reads an owner's journal cannot vote with it.

use std::fmt;
use std::str::FromStr;

use rpds::RedBlackTreeMapSync;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha512};

use crate::ids::{IdError, base32_id, decode_base32, encode_base32};
use crate::planted::{self, Fault};
use crate::strict::Word;
use crate::{
    Admission, Ballots, ErrorCode, InvitationIssue, InvitationRedemption, InvitationWithdrawal,
    Limits, PeerId, Poll, PollId, Rejection, Role,
};

base32_id! {
    /// The id of an invitation: 128 bits of SHA-512 over the poll and the secret, written as 26
    /// characters of lower-case base32.
    InvitationId, 16, 26, "an invitation's id"
}

/// The secret of an invitation: 128 random bits, written as 26 characters of lower-case base32.
///
/// Its text form is for the link of the person who is invited. `Debug` does not show it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct InvitationSecret([u8; 16]);

impl InvitationSecret {
    /// The length of the text form, in characters.
    pub const TEXT_LEN: usize = 26;

    /// The secret of these bytes, which must come from a source of randomness for keys.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The id that its poll knows it by.
    #[must_use]
    pub fn id(&self, poll_id: PollId) -> InvitationId {
        // The label and both parts have fixed lengths, so no two of them run together to the same
        // bytes.
        let hash = Sha512::new()
            .chain_update(b"hustings/2/invitation")
            .chain_update(poll_id.as_uuid().as_bytes())
            .chain_update(self.0)
            .finalize();
        let mut id = [0; 16];
        id.copy_from_slice(&hash[..16]);
        InvitationId::from_bytes(id)
    }
}

impl fmt::Display for InvitationSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(encode_base32(&self.0, &mut [0; Self::TEXT_LEN]))
    }
}

impl fmt::Debug for InvitationSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InvitationSecret(..)")
    }
}

impl FromStr for InvitationSecret {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let kind = "an invitation";
        if text.len() != Self::TEXT_LEN {
            return Err(IdError::Length {
                kind,
                expected: Self::TEXT_LEN,
                actual: text.len(),
            });
        }
        let mut bytes = [0; 16];
        decode_base32(text, &mut bytes)
            .map(|()| Self(bytes))
            .ok_or(IdError::Alphabet {
                kind,
                alphabet: "lower-case base32",
            })
    }
}

impl Serialize for InvitationSecret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for InvitationSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Word(text) = Word::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// The invitations of a poll, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InvitationCounts {
    /// Those that were made.
    pub issued: u32,
    /// Those of them that somebody has redeemed.
    pub used: u32,
    /// Those of them that were withdrawn, be it after somebody had redeemed them.
    pub withdrawn: u32,
}

/// One invitation, as its poll's owner may see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// True if it was withdrawn. Whoever has redeemed it before is a voter all the same.
    pub withdrawn: bool,
    /// True if somebody has redeemed it; `None` where ballots are secret, and with them who came by
    /// which invitation.
    pub used: Option<bool>,
}

/// An invitation in the owner's poll.
#[derive(Clone, Copy)]
struct Entry {
    /// Its place in the order in which they were issued.
    number: u32,
    used: bool,
    withdrawn: bool,
}

type Entries = RedBlackTreeMapSync<InvitationId, Entry>;

/// Every invitation of a poll, which is in the owner's journal and in nothing that is told: in
/// copies of the poll there is `None`. A copy of the ledger shares all that is the same.
#[derive(Clone, Default)]
pub(crate) struct Ledger(Option<Entries>);

/// No part of what is told: an owner's poll equals the copies of it.
impl PartialEq for Ledger {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Ledger {}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ledger({:?})", self.0.as_ref().map(Entries::size))
    }
}

impl Ledger {
    /// That of a new poll.
    pub(crate) fn new() -> Self {
        Self(Some(Entries::default()))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(Entries::is_empty) || planted::is_on(Fault::InvitationsNotKept)
    }

    /// All of them in the order in which they were issued.
    fn in_order(&self) -> Vec<(InvitationId, Entry)> {
        let all = self.0.iter().flatten();
        let mut all: Vec<_> = all.map(|(id, entry)| (*id, *entry)).collect();
        all.sort_unstable_by_key(|(_, entry)| entry.number);
        all
    }

    /// Checks that an invitation can be redeemed. In a copy of the poll that is not known.
    fn check_open(&self, id: Option<InvitationId>) -> Result<(), Rejection> {
        let Some(all) = &self.0 else {
            return Ok(());
        };
        let missing = || Rejection::new(ErrorCode::BadField, "the invitation has no secret");
        let (code, message) = match all.get(&id.ok_or_else(missing)?) {
            None => (
                ErrorCode::UnknownInvitation,
                "this poll has no such invitation",
            ),
            Some(entry) if entry.used && !planted::is_on(Fault::InvitationTwice) => (
                ErrorCode::InvitationUsed,
                "this invitation has been used already, each is for one person and once",
            ),
            Some(entry) if entry.withdrawn => (
                ErrorCode::InvitationWithdrawn,
                "the host has withdrawn this invitation",
            ),
            Some(_) => return Ok(()),
        };
        Err(Rejection::new(code, message))
    }
}

/// One invitation in a journal's snapshot, which has them in the order in which they were issued:
/// that it was used, and that it was withdrawn.
type Row = (InvitationId, u8, u8);

impl Serialize for Ledger {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let all = self.in_order().into_iter();
        serializer.collect_seq(
            all.map(|(id, entry)| -> Row { (id, entry.used.into(), entry.withdrawn.into()) }),
        )
    }
}

impl<'de> Deserialize<'de> for Ledger {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let rows: Vec<Row> = Vec::deserialize(deserializer)?;
        let mut all = Entries::default();
        for (number, (id, used, withdrawn)) in (0..).zip(rows) {
            all.insert_mut(
                id,
                Entry {
                    number,
                    used: used != 0,
                    withdrawn: withdrawn != 0,
                },
            );
        }
        Ok(Self(Some(all)))
    }
}

impl Poll {
    /// The numbers of invitations that were issued, redeemed and withdrawn; `None` where everybody
    /// who has the link may vote.
    #[must_use]
    pub const fn invitations(&self) -> Option<InvitationCounts> {
        self.invitations
    }

    /// Each invitation, in the order in which they were issued. Empty in every poll but that of the
    /// device that hosts it.
    #[must_use]
    pub fn issued(&self) -> Vec<Invitation> {
        let is_open = self.ballots == Ballots::Open;
        let all = self.ledger.in_order().into_iter();
        all.map(|(id, entry)| Invitation {
            id,
            withdrawn: entry.withdrawn,
            used: is_open.then_some(entry.used),
        })
        .collect()
    }

    pub(crate) fn issue(
        &mut self,
        author: PeerId,
        issue: &InvitationIssue,
        limits: &Limits,
    ) -> Result<(), Rejection> {
        self.check_role(author, Role::Owner, "invite people")?;
        let named = &issue.invitations;
        let (mut counts, count) = self.count_named(named, issue.count, limits)?;
        counts.issued = counts.issued.saturating_add(count);
        if counts.issued as usize > limits.max_invitations {
            let message = format!("a poll has at most {} invitations", limits.max_invitations);
            return Err(Rejection::new(ErrorCode::PollFull, message));
        }
        if let Some(all) = &mut self.ledger.0 {
            if let Some(known) = named.iter().find(|id| all.contains_key(id)) {
                let message = format!("this poll already has the invitation {known}");
                return Err(Rejection::new(ErrorCode::InvitationExists, message));
            }
            for (number, id) in (counts.issued - count..).zip(named) {
                all.insert_mut(
                    *id,
                    Entry {
                        number,
                        used: false,
                        withdrawn: false,
                    },
                );
            }
        }
        self.invitations = Some(counts);
        Ok(())
    }

    /// An invitation that was used may be withdrawn, to no effect: otherwise whoever tries would
    /// learn which were used.
    pub(crate) fn withdraw(
        &mut self,
        author: PeerId,
        withdrawal: &InvitationWithdrawal,
        limits: &Limits,
    ) -> Result<(), Rejection> {
        self.check_role(author, Role::Owner, "withdraw invitations")?;
        let named = &withdrawal.invitations;
        let (mut counts, count) = self.count_named(named, withdrawal.count, limits)?;
        counts.withdrawn = counts.withdrawn.saturating_add(count);
        if let Some(all) = &mut self.ledger.0 {
            for id in named {
                let (code, message) = match all.get(id) {
                    Some(entry) if !entry.withdrawn => continue,
                    Some(_) => (
                        ErrorCode::InvitationWithdrawn,
                        format!("the invitation {id} is withdrawn already"),
                    ),
                    None => (
                        ErrorCode::UnknownInvitation,
                        format!("this poll has no invitation {id}"),
                    ),
                };
                return Err(Rejection::new(code, message));
            }
            for id in named {
                if let Some(entry) = all.get_mut(id) {
                    entry.withdrawn = true;
                }
            }
        }
        self.invitations = Some(counts);
        Ok(())
    }

    /// Makes a voter of its author. In a copy of the poll it is not known whether the invitation is
    /// good: there it is, until the owner says otherwise.
    pub(crate) fn redeem(
        &mut self,
        author: PeerId,
        redemption: &InvitationRedemption,
        limits: &Limits,
    ) -> Result<(), Rejection> {
        let mut counts = self.counts_of_invitations()?;
        if self.role(author) >= Role::Voter {
            let message = "you may vote already, the invitation is for somebody else";
            return Err(Rejection::new(ErrorCode::NotAllowed, message));
        }
        let id = redemption.secret.map(|secret| secret.id(self.poll_id));
        self.ledger.check_open(id)?;
        self.member_mut(author, limits)?.role = Role::Voter;
        if let (Some(all), Some(id)) = (&mut self.ledger.0, id)
            && let Some(entry) = all.get_mut(&id)
        {
            entry.used = true;
        }
        counts.used = counts.used.saturating_add(1);
        self.invitations = Some(counts);
        Ok(())
    }

    /// The number of invitations that a command names, with the numbers so far. An owner is given
    /// the invitations themselves, others are told their number.
    fn count_named(
        &self,
        named: &[InvitationId],
        told: u32,
        limits: &Limits,
    ) -> Result<(InvitationCounts, u32), Rejection> {
        let counts = self.counts_of_invitations()?;
        let bad = |message: &str| Err(Rejection::new(ErrorCode::BadField, message));
        if self.ledger.0.is_some() && told > 0 {
            return bad("a command names each invitation");
        }
        let named_twice = || (1..named.len()).any(|at| named[..at].contains(&named[at]));
        if named.len() <= limits.max_invitations_at_once && named_twice() {
            return bad("an invitation is named twice");
        }
        // At most as many as fit into a frame.
        let count = told.saturating_add(u32::try_from(named.len()).unwrap_or(u32::MAX));
        if count == 0 {
            return bad("no invitation is named");
        }
        Ok((counts, count))
    }

    fn counts_of_invitations(&self) -> Result<InvitationCounts, Rejection> {
        self.invitations.ok_or_else(|| {
            let message = "in this poll everybody votes who has the link, without an invitation";
            Rejection::new(ErrorCode::NotAllowed, message)
        })
    }

    /// Checks that a poll has the numbers of its invitations if only invited people vote, and only
    /// then.
    pub(crate) fn check_invitations(&self) -> Result<(), Rejection> {
        let is_right = match (self.admission, self.invitations) {
            (Admission::Link, None) => true,
            (Admission::Invited, Some(counts)) => {
                counts.used <= counts.issued && counts.withdrawn <= counts.issued
            }
            (Admission::Link, Some(_)) | (Admission::Invited, None) => false,
        };
        if is_right {
            return Ok(());
        }
        let message =
            "the numbers of invitations must be there if only invited people vote, and fit";
        Err(Rejection::new(ErrorCode::BadField, message))
    }
}

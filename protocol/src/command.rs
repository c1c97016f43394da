//! Commands: the mutations that peers ask for. A new kind of command is added here, in the rules,
//! and nowhere else.

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize};

use crate::envelope::{Fields, encode};
use crate::limits::fits;
use crate::planted::{self, Fault};
use crate::{
    CommandId, DecodeError, DeviceId, Envelope, ErrorCode, HistoryMark, InvitationId,
    InvitationSecret, Kind, Limits, Message, OptionId, PeerId, PollId, Rejection, Results,
    Revision, Role, Seen, Seq, text,
};

/// Makes, from one table, everything that has to agree: the commands, the words of their types, and
/// the code that reads and writes each.
macro_rules! commands {
    ($($(#[$doc:meta])* $variant:ident($payload:ty) = $word:literal,)*) => {
        /// A mutation that a peer asks for, before the owner has decided on it.
        ///
        /// It serialises as its message does, without the envelope: `{"type": …, "payload": …}`.
        /// Later versions have more kinds.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
        #[serde(tag = "type", content = "payload")]
        #[non_exhaustive]
        pub enum Command {
            $($(#[$doc])* #[serde(rename = $word)] $variant($payload),)*
        }

        /// The type of a message that carries a [`Command`], sent or relayed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum CommandKind {
            $($(#[$doc])* $variant,)*
        }

        impl CommandKind {
            /// Every kind of command.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The word on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            /// The kind with this word.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }

        impl Command {
            /// The type of the message that carries this command.
            #[must_use]
            pub const fn kind(&self) -> CommandKind {
                match self {
                    $(Self::$variant(_) => CommandKind::$variant,)*
                }
            }

            fn decode(kind: CommandKind, envelope: &Envelope<'_>) -> Result<Self, DecodeError> {
                match kind {
                    $(CommandKind::$variant => envelope.object().map(Self::$variant),)*
                }
            }

            /// The frame that carries this command, with these fields beside it.
            pub(crate) fn encode(&self, fields: Fields) -> Bytes {
                let kind = Kind::Command(self.kind());
                match self {
                    $(Self::$variant(payload) => encode(kind, fields, payload),)*
                }
            }
        }
    };
}

commands! {
    /// Choose options in place of the author's earlier choice.
    Vote(Vote) = "poll:vote",
    /// Add an option.
    AddOption(OptionAdd) = "poll:option:add",
    /// Change a person's role.
    UpdateRole(RoleUpdate) = "poll:role:update",
    /// Close or reopen the poll, or change its title or its rules. For the owner only.
    UpdateSettings(SettingsUpdate) = "poll:settings",
    /// Change an option's label, withdraw it, or take that back. For moderators.
    UpdateOption(OptionUpdate) = "poll:option:update",
    /// Remove a person from the poll. For moderators, of people below them.
    RemovePeer(PeerRemoval) = "poll:peer:remove",
    /// Let a person take part again who was removed. As above.
    ReadmitPeer(PeerReadmission) = "poll:peer:readmit",
    /// Make one-time invitations to a poll in which only invited people vote. For the owner only.
    IssueInvitations(InvitationIssue) = "poll:invitation:issue",
    /// Make invitations worthless that nobody has redeemed. For the owner only.
    WithdrawInvitations(InvitationWithdrawal) = "poll:invitation:withdraw",
    /// Become a voter by an invitation.
    RedeemInvitation(InvitationRedemption) = "poll:invitation:redeem",
    /// Set the author's name.
    SetProfile(UserProfile) = "user:profile",
}

impl Command {
    /// The poll that the payload names; `None` for a profile, which names no poll.
    #[must_use]
    pub const fn poll_id(&self) -> Option<PollId> {
        match self {
            Self::Vote(vote) => Some(vote.poll_id),
            Self::AddOption(option) => Some(option.poll_id),
            Self::UpdateRole(update) => Some(update.poll_id),
            Self::UpdateSettings(update) => Some(update.poll_id),
            Self::UpdateOption(update) => Some(update.poll_id),
            Self::RemovePeer(removal) => Some(removal.poll_id),
            Self::ReadmitPeer(readmission) => Some(readmission.poll_id),
            Self::IssueInvitations(issue) => Some(issue.poll_id),
            Self::WithdrawInvitations(withdrawal) => Some(withdrawal.poll_id),
            Self::RedeemInvitation(redemption) => Some(redemption.poll_id),
            Self::SetProfile(_) => None,
        }
    }

    /// Checks the lengths that the [`Limits`] bound. It needs no poll.
    ///
    /// # Errors
    ///
    /// `too-long`, with a sentence that names the field and its limit.
    pub fn check_lengths(&self, limits: &Limits) -> Result<(), Rejection> {
        let (fits, too_long) = match self {
            Self::Vote(vote) => (
                vote.option_ids.len() <= limits.max_choices,
                format_args!("a vote names at most {} options", limits.max_choices),
            ),
            Self::AddOption(option) => (
                fits(&option.label, limits.max_label_chars),
                format_args!("a label has at most {} characters", limits.max_label_chars),
            ),
            Self::SetProfile(profile) => (
                fits(&profile.name, limits.max_name_chars),
                format_args!("a name has at most {} characters", limits.max_name_chars),
            ),
            Self::UpdateOption(OptionUpdate {
                label: Some(label), ..
            }) => (
                fits(label, limits.max_label_chars),
                format_args!("a label has at most {} characters", limits.max_label_chars),
            ),
            Self::UpdateSettings(SettingsUpdate {
                title: Some(title), ..
            }) => (
                fits(title, limits.max_title_chars),
                format_args!("a title has at most {} characters", limits.max_title_chars),
            ),
            Self::IssueInvitations(InvitationIssue { invitations, .. })
            | Self::WithdrawInvitations(InvitationWithdrawal { invitations, .. }) => (
                invitations.len() <= limits.max_invitations_at_once,
                format_args!(
                    "a command names at most {} invitations",
                    limits.max_invitations_at_once
                ),
            ),
            // Ids, switches and numbers have a fixed length.
            Self::UpdateRole(_)
            | Self::UpdateSettings(_)
            | Self::UpdateOption(_)
            | Self::RemovePeer(_)
            | Self::ReadmitPeer(_)
            | Self::RedeemInvitation(_) => return Ok(()),
        };
        if fits {
            return Ok(());
        }
        Err(Rejection::new(ErrorCode::TooLong, too_long.to_string()))
    }

    /// The command with its texts in their [normal form](text::normalised), which is how it is
    /// sent.
    #[must_use]
    pub fn normalised(mut self) -> Self {
        let text = match &mut self {
            Self::AddOption(option) => &mut option.label,
            Self::SetProfile(profile) => &mut profile.name,
            Self::UpdateOption(OptionUpdate {
                label: Some(label), ..
            }) => label,
            Self::UpdateSettings(SettingsUpdate {
                title: Some(title), ..
            }) => title,
            Self::Vote(_)
            | Self::UpdateRole(_)
            | Self::UpdateSettings(_)
            | Self::UpdateOption(_)
            | Self::RemovePeer(_)
            | Self::ReadmitPeer(_)
            | Self::IssueInvitations(_)
            | Self::WithdrawInvitations(_)
            | Self::RedeemInvitation(_) => return self,
        };
        *text = text::normalised(text).into_owned();
        self
    }

    /// Checks that what others will see are [texts](text). It needs no poll.
    ///
    /// # Errors
    ///
    /// `bad-text`, with a sentence that names the field and what is wrong with it.
    pub fn check_text(&self) -> Result<(), Rejection> {
        match self {
            Self::AddOption(option) => text::check("the label", &option.label),
            Self::SetProfile(profile) => text::check("the name", &profile.name),
            Self::UpdateOption(OptionUpdate {
                label: Some(label), ..
            }) => text::check("the label", label),
            Self::UpdateSettings(SettingsUpdate {
                title: Some(title), ..
            }) => text::check("the title", title),
            Self::Vote(_)
            | Self::UpdateRole(_)
            | Self::UpdateSettings(_)
            | Self::UpdateOption(_)
            | Self::RemovePeer(_)
            | Self::ReadmitPeer(_)
            | Self::IssueInvitations(_)
            | Self::WithdrawInvitations(_)
            | Self::RedeemInvitation(_) => Ok(()),
        }
    }

    /// Reads the command that a frame carries.
    ///
    /// # Errors
    ///
    /// `unknown-type`, `unexpected` if the message is not a command, `bad-field`, `too-long`.
    pub fn from_envelope(envelope: &Envelope<'_>, limits: &Limits) -> Result<Self, DecodeError> {
        let Kind::Command(kind) = envelope.kind()? else {
            return Err(envelope.refuse(ErrorCode::Unexpected, "this message is not a command"));
        };
        let command = Self::decode(kind, envelope)?;
        match command.check_lengths(limits) {
            Ok(()) => Ok(command),
            Err(rejection) => Err(envelope.refuse_with(rejection)),
        }
    }
}

/// Payload of `poll:vote`: the options that the author chooses, in place of any earlier choice. An
/// empty choice takes the vote back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Vote {
    /// The poll.
    pub poll_id: PollId,
    /// The choice: no option twice, and at most one in a single-choice poll.
    pub option_ids: Vec<OptionId>,
}

/// Payload of `poll:option:add`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OptionAdd {
    /// The poll.
    pub poll_id: PollId,
    /// The new option's id, made by the author.
    pub option_id: OptionId,
    /// The text that people read.
    pub label: String,
}

/// Payload of `poll:role:update`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoleUpdate {
    /// The poll.
    pub poll_id: PollId,
    /// The person whose role changes. They need not be a member yet.
    pub peer_id: PeerId,
    /// The new role.
    pub role: Role,
}

/// Payload of `user:profile`: the name that the author wants. A later version may add fields;
/// unknown fields are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserProfile {
    /// The name that others see.
    pub name: String,
}

/// Payload of `poll:settings`: a field that is present changes the setting, an absent one leaves
/// it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SettingsUpdate {
    /// The poll.
    pub poll_id: PollId,
    /// True to reject votes and options from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<bool>,
    /// True to let voters add options from now on, false to stop that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voters_may_add_options: Option<bool>,
    /// The time from which the results are shown, from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results: Option<Results>,
    /// The new title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The time when the owner closes the poll, in milliseconds of Unix time; `Some(None)`, or
    /// `null` on the wire, for never.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "nullable"
    )]
    pub closes_at: Option<Option<u64>>,
}

/// Tells `null` from a field that is not there.
fn nullable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u64>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Payload of `poll:option:update`: a field that is present changes the option.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct OptionUpdate {
    /// The poll.
    pub poll_id: PollId,
    /// The option.
    pub option_id: OptionId,
    /// The new label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// True to withdraw it, so that votes for it do not count; false to take that back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<bool>,
}

/// Payload of `poll:peer:remove`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerRemoval {
    /// The poll.
    pub poll_id: PollId,
    /// The person. They need not be a member.
    pub peer_id: PeerId,
    /// True to let their vote stand.
    pub keep_vote: bool,
}

/// Payload of `poll:peer:readmit`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerReadmission {
    /// The poll.
    pub poll_id: PollId,
    /// The person.
    pub peer_id: PeerId,
}

/// Payload of `poll:invitation:issue`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InvitationIssue {
    /// The poll.
    pub poll_id: PollId,
    /// The invitations, each new. Nobody but the device that hosts the poll is told them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub invitations: Vec<InvitationId>,
    /// In what others are told: how many there were. Zero in a command.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub count: u32,
}

/// Payload of `poll:invitation:withdraw`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InvitationWithdrawal {
    /// The poll.
    pub poll_id: PollId,
    /// The invitations, each issued and not withdrawn before. Nobody but the device that hosts the
    /// poll is told them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub invitations: Vec<InvitationId>,
    /// In what others are told: how many there were. Zero in a command.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub count: u32,
}

/// Payload of `poll:invitation:redeem`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InvitationRedemption {
    /// The poll.
    pub poll_id: PollId,
    /// The secret of an invitation. Absent in what others are told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<InvitationSecret>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Command {
    /// The command as others are told it, where that is less than its author has said: of
    /// invitations they hear how many, and never one of them. `None` for every other command, which
    /// is told as it is.
    #[must_use]
    pub fn told(&self) -> Option<Self> {
        let counted = |invitations: &[InvitationId], count: u32| {
            // Bounded by what one command may name.
            count.saturating_add(u32::try_from(invitations.len()).unwrap_or(u32::MAX))
        };
        if planted::is_on(Fault::TellsInvitations) {
            return None;
        }
        match self {
            Self::IssueInvitations(issue) => Some(Self::IssueInvitations(InvitationIssue {
                poll_id: issue.poll_id,
                invitations: Vec::new(),
                count: counted(&issue.invitations, issue.count),
            })),
            Self::WithdrawInvitations(withdrawal) => {
                Some(Self::WithdrawInvitations(InvitationWithdrawal {
                    poll_id: withdrawal.poll_id,
                    invitations: Vec::new(),
                    count: counted(&withdrawal.invitations, withdrawal.count),
                }))
            }
            Self::RedeemInvitation(redemption) => {
                Some(Self::RedeemInvitation(InvitationRedemption {
                    poll_id: redemption.poll_id,
                    secret: None,
                }))
            }
            Self::Vote(_)
            | Self::AddOption(_)
            | Self::UpdateRole(_)
            | Self::UpdateSettings(_)
            | Self::UpdateOption(_)
            | Self::RemovePeer(_)
            | Self::ReadmitPeer(_)
            | Self::SetProfile(_) => None,
        }
    }

    /// The person whose entry in the list of members this command changes; `author` is who sends
    /// it.
    #[must_use]
    pub const fn subject(&self, author: PeerId) -> PeerId {
        match self {
            Self::UpdateRole(update) => update.peer_id,
            Self::RemovePeer(removal) => removal.peer_id,
            Self::ReadmitPeer(readmission) => readmission.peer_id,
            Self::Vote(_)
            | Self::AddOption(_)
            | Self::UpdateSettings(_)
            | Self::UpdateOption(_)
            | Self::IssueInvitations(_)
            | Self::WithdrawInvitations(_)
            | Self::RedeemInvitation(_)
            | Self::SetProfile(_) => author,
        }
    }
}

impl SettingsUpdate {
    /// An update that changes nothing yet.
    #[must_use]
    pub const fn new(poll_id: PollId) -> Self {
        Self {
            poll_id,
            closed: None,
            voters_may_add_options: None,
            results: None,
            title: None,
            closes_at: None,
        }
    }

    /// Closes the poll (`true`) or reopens it (`false`); `None` leaves it as it is.
    #[must_use]
    pub fn closed(mut self, closed: impl Into<Option<bool>>) -> Self {
        self.closed = closed.into();
        self
    }

    /// Lets voters add options (`true`) or stops that (`false`); `None` leaves it as it is.
    #[must_use]
    pub fn voters_may_add_options(mut self, may: impl Into<Option<bool>>) -> Self {
        self.voters_may_add_options = may.into();
        self
    }

    /// Shows the results from this time on; `None` leaves it as it is.
    #[must_use]
    pub fn results(mut self, results: impl Into<Option<Results>>) -> Self {
        self.results = results.into();
        self
    }

    /// Changes the title.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// Makes the owner close the poll at this time, in milliseconds of Unix time; `None` for never.
    #[must_use]
    pub fn closes_at(mut self, unix_millis: impl Into<Option<u64>>) -> Self {
        self.closes_at = Some(unix_millis.into());
        self
    }
}

impl OptionUpdate {
    /// An update that changes nothing yet.
    #[must_use]
    pub const fn new(poll_id: PollId, option_id: OptionId) -> Self {
        Self {
            poll_id,
            option_id,
            label: None,
            withdrawn: None,
        }
    }

    /// Changes the label.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Withdraws the option, or takes that back.
    #[must_use]
    pub const fn withdrawn(mut self, withdrawn: bool) -> Self {
        self.withdrawn = Some(withdrawn);
        self
    }
}

/// A command as its sender numbered it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbered {
    /// Its name, which never changes.
    pub command_id: CommandId,
    /// Its number in the order of the sender (author and device).
    pub seq: Seq,
    /// The place in the history that its device had seen when it was submitted; `None` if there was
    /// none or it is not known, and in what an owner relays.
    pub seen: Option<Seen>,
    /// The command itself.
    pub command: Command,
}

/// A command that the owner has applied, in the form in which it is relayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// The author.
    pub author: PeerId,
    /// The author's device.
    pub device: DeviceId,
    /// The revision that the command made.
    pub revision: Revision,
    /// The owner's mark of the history up to that revision.
    pub history: Option<HistoryMark>,
    /// The command, with the sender's name and number for it.
    pub numbered: Numbered,
}

impl Update {
    /// The frame in which others are told it, if that is [less](Command::told) than its author has
    /// said.
    #[must_use]
    pub fn encode_told(&self) -> Option<Bytes> {
        let mut told = self.clone();
        told.numbered.command = self.numbered.command.told()?;
        Some(Message::Update(told).encode())
    }
}

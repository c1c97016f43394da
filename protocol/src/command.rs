//! Commands: the mutations that peers ask for. A new kind of command is added here, in the rules,
//! and nowhere else.

mod invitation;
mod payload;

use bytes::Bytes;
use serde::Serialize;

use crate::envelope::{Fields, encode};
use crate::limits::fits;
use crate::{
    CommandId, DecodeError, DeviceId, Envelope, ErrorCode, HistoryMark, Kind, Limits, PeerId,
    PollId, Rejection, Revision, Seen, Seq, text,
};

pub use self::invitation::{InvitationIssue, InvitationRedemption, InvitationWithdrawal};
pub use self::payload::{
    OptionAdd, OptionUpdate, PeerReadmission, PeerRemoval, RoleUpdate, SettingsUpdate, UserProfile,
    Vote,
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

//! The invitations of a history: each makes one voter, and nobody is told which there are.

use std::collections::{BTreeMap, BTreeSet};

use hustings_protocol::{Command, InvitationId, PeerId, PollId, Revision};

use super::{Violation, hold};

/// The invitations of a poll, by its updates.
#[derive(Clone, Default)]
pub(super) struct Invitations {
    issued: Vec<InvitationId>,
    withdrawn: BTreeSet<InvitationId>,
    holders: BTreeMap<InvitationId, PeerId>,
    /// The number of them after each update that changed it.
    issued_at: Vec<(Revision, usize)>,
}

impl Invitations {
    /// A command of somebody has taken effect.
    pub(super) fn changes(
        &mut self,
        poll_id: PollId,
        at: Revision,
        author: PeerId,
        command: &Command,
    ) -> Result<(), Violation> {
        match command {
            Command::IssueInvitations(issue) => {
                for id in &issue.invitations {
                    hold!(10, !self.issued.contains(id), "{id} was issued twice");
                    self.issued.push(*id);
                }
                self.issued_at.push((at, self.issued.len()));
            }
            Command::WithdrawInvitations(withdrawal) => {
                self.withdrawn.extend(&withdrawal.invitations);
            }
            Command::RedeemInvitation(redemption) => {
                let Some(secret) = redemption.secret else {
                    hold!(
                        10,
                        false,
                        "{author} votes by an invitation without a secret"
                    );
                    return Ok(());
                };
                let id = secret.id(poll_id);
                hold!(
                    10,
                    self.issued.contains(&id) && !self.withdrawn.contains(&id),
                    "{author} votes by an invitation that is not there"
                );
                let before = self.holders.insert(id, author);
                hold!(
                    10,
                    before.is_none(),
                    "{author} votes by the invitation of {before:?}"
                );
            }
            Command::Vote(_)
            | Command::AddOption(_)
            | Command::UpdateRole(_)
            | Command::UpdateSettings(_)
            | Command::UpdateOption(_)
            | Command::RemovePeer(_)
            | Command::ReadmitPeer(_)
            | Command::SetProfile(_)
            | _ => {}
        }
        Ok(())
    }

    /// The journal's snapshot at a revision has them all, in their order.
    pub(super) fn are_kept(
        &self,
        kept: &[hustings_protocol::Invitation],
        at: Revision,
    ) -> Result<(), Violation> {
        let until = self.issued_at.iter().rfind(|(issued, _)| *issued <= at);
        let issued = &self.issued[..until.map_or(0, |(_, count)| *count)];
        hold!(
            5,
            kept.iter().map(|it| it.id).eq(issued.iter().copied()),
            "the snapshot at {at} has {kept:?}, not {issued:?}"
        );
        Ok(())
    }

    /// The number of people who came by one.
    pub(super) fn used(&self) -> usize {
        self.holders.len()
    }
}

/// True for a frame with an invitation in it, or with what only a journal has of one.
pub(super) fn says_invitations(frame: &[u8]) -> bool {
    let names: [&[u8]; 3] = [br#""ledger":"#, br#""secret":"#, br#""invitations":["#];
    let is_in = |name: &[u8]| frame.windows(name.len()).any(|part| part == name);
    names.into_iter().any(is_in)
}

//! The invitations of a history: each makes one voter, nobody else is one but by the owner's hand,
//! and nobody is told which there are.

use std::collections::{BTreeMap, BTreeSet};

use hustings_protocol::{
    Admission, Command, Invitation, InvitationCounts, InvitationId, PeerId, Poll, Revision, Role,
};

use super::{Violation, hold};

/// The invitations of a poll and the people who came by them, by its updates.
#[derive(Clone, Default)]
pub(super) struct Invitations {
    issued: Vec<InvitationId>,
    withdrawn: BTreeSet<InvitationId>,
    holders: BTreeMap<InvitationId, PeerId>,
    /// The people who may vote: the holders, and whom the owner has made a voter.
    voters: BTreeSet<PeerId>,
    /// The people of whom the poll knows anything.
    known: BTreeSet<PeerId>,
    /// The number of them after each update that changed it.
    issued_at: Vec<(Revision, usize)>,
}

impl Invitations {
    /// A command of somebody is about to take effect on this poll.
    pub(super) fn changes(
        &mut self,
        poll: &Poll,
        at: Revision,
        author: PeerId,
        command: &Command,
    ) -> Result<(), Violation> {
        if poll.admission() == Admission::Link {
            return Ok(());
        }
        let is_owner = author == poll.owner();
        match command {
            Command::IssueInvitations(issue) => {
                hold!(10, is_owner, "{author} issues invitations");
                for id in &issue.invitations {
                    hold!(10, !self.issued.contains(id), "{id} was issued twice");
                    self.issued.push(*id);
                }
                self.issued_at.push((at, self.issued.len()));
            }
            Command::WithdrawInvitations(withdrawal) => {
                hold!(10, is_owner, "{author} withdraws invitations");
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
                let id = secret.id(poll.poll_id());
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
                let is_new = !is_owner && self.voters.insert(author);
                hold!(10, is_new, "{author} may vote already and uses up {id}");
                self.known.insert(author);
            }
            Command::UpdateRole(update) => {
                let peer = update.peer_id;
                let may_vote = update.role >= Role::Voter;
                hold!(
                    10,
                    !may_vote || is_owner || self.voters.contains(&peer),
                    "{author} lets {peer} vote, who has no invitation"
                );
                if may_vote {
                    self.voters.insert(peer);
                } else {
                    self.voters.remove(&peer);
                }
                self.known.insert(peer);
            }
            Command::Vote(_) | Command::AddOption(_) | Command::UpdateOption(_) => hold!(
                10,
                is_owner || self.voters.contains(&author),
                "{author} takes part and was not invited"
            ),
            Command::SetProfile(_) => hold!(
                10,
                is_owner || self.known.contains(&author),
                "{author} has a name and was not invited"
            ),
            Command::RemovePeer(removal) => {
                self.known.insert(removal.peer_id);
            }
            Command::ReadmitPeer(readmission) => {
                self.known.insert(readmission.peer_id);
            }
            Command::UpdateSettings(_) | _ => {}
        }
        Ok(())
    }

    /// The poll after all updates so far has the right numbers of them.
    pub(super) fn are_counted(&self, poll: &Poll) -> Result<(), Violation> {
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let counts = (poll.admission() == Admission::Invited).then(|| InvitationCounts {
            issued: number(self.issued.len()),
            used: number(self.holders.len()),
            withdrawn: number(self.withdrawn.len()),
        });
        hold!(
            5,
            poll.invitations() == counts,
            "there are {counts:?}, and the poll has {:?}",
            poll.invitations()
        );
        Ok(())
    }

    /// The journal's snapshot at a revision has them all, in their order.
    pub(super) fn are_kept(&self, kept: &[Invitation], at: Revision) -> Result<(), Violation> {
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

//! Invitations: one makes one voter, and nobody but the owner's own poll knows any of them.

#![allow(
    clippy::unwrap_used,
    reason = "the lint lets tests unwrap, but does not know their helpers"
)]

mod common;

use hustings_protocol::{
    Admission, Ballots, Command, Epoch, ErrorCode, InvitationCounts, InvitationIssue,
    InvitationRedemption, InvitationSecret, InvitationWithdrawal, Limits, PeerReadmission,
    PeerRemoval, Poll, PollDraft, PollState, Position, Revision, Role, RoleUpdate, UserProfile,
    Vote,
};

use common::{option_id, peer, poll_id, secret};

const OWNER: u8 = 0;
const ANN: u8 = 1;
const BEN: u8 = 2;
const MOLLY: u8 = 3;

fn poll_with(ballots: Ballots, admission: Admission) -> Poll {
    let draft = PollDraft::new("Tea?")
        .options(["Tea", "Coffee"])
        .ballots(ballots)
        .admission(admission);
    let mut ids = (1..).map(option_id);
    let next = || ids.next().unwrap();
    Poll::new(poll_id(1), peer(OWNER), draft, next, &Limits::default()).unwrap()
}

/// An invited poll with invitations of the secrets 1, 2 and 3, and Molly as its moderator.
fn poll(ballots: Ballots) -> Poll {
    let mut poll = poll_with(ballots, Admission::Invited);
    decide(&mut poll, OWNER, &issue(&[1, 2, 3])).unwrap();
    decide(&mut poll, OWNER, &role(MOLLY, Role::Moderator)).unwrap();
    poll
}

fn decide(poll: &mut Poll, author: u8, command: &Command) -> Result<(), ErrorCode> {
    let before = (poll.clone(), poll.issued());
    let decided = poll.decide(peer(author), command, &Limits::default());
    if decided.is_err() {
        let now = (poll.clone(), poll.issued());
        assert_eq!(now, before, "what is refused changes nothing");
    }
    decided.map_err(|rejection| rejection.code)
}

fn issue(secrets: &[u8]) -> Command {
    let ids = secrets.iter().map(|it| secret(*it).id(poll_id(1)));
    Command::IssueInvitations(InvitationIssue {
        poll_id: poll_id(1),
        invitations: ids.collect(),
        count: 0,
    })
}

fn withdraw(secrets: &[u8]) -> Command {
    let ids = secrets.iter().map(|it| secret(*it).id(poll_id(1)));
    Command::WithdrawInvitations(InvitationWithdrawal {
        poll_id: poll_id(1),
        invitations: ids.collect(),
        count: 0,
    })
}

fn redeem(number: u8) -> Command {
    Command::RedeemInvitation(InvitationRedemption {
        poll_id: poll_id(1),
        secret: Some(secret(number)),
    })
}

fn vote() -> Command {
    Command::Vote(Vote {
        poll_id: poll_id(1),
        option_ids: vec![option_id(1)],
    })
}

fn call_me(name: &str) -> Command {
    let name = name.to_owned();
    Command::SetProfile(UserProfile { name })
}

fn role(who: u8, role: Role) -> Command {
    Command::UpdateRole(RoleUpdate {
        poll_id: poll_id(1),
        peer_id: peer(who),
        role,
    })
}

fn counts(issued: u32, used: u32, withdrawn: u32) -> Option<InvitationCounts> {
    Some(InvitationCounts {
        issued,
        used,
        withdrawn,
    })
}

#[test]
fn whoever_redeems_an_invitation_first_votes_and_nobody_else() {
    let mut poll = poll(Ballots::Secret);
    assert_eq!(poll.role(peer(ANN)), Role::Viewer);
    for command in [vote(), call_me("Ann")] {
        assert_eq!(
            decide(&mut poll, ANN, &command),
            Err(ErrorCode::NotAllowed),
            "{command:?}"
        );
    }
    decide(&mut poll, ANN, &redeem(1)).unwrap();
    assert_eq!(poll.role(peer(ANN)), Role::Voter);
    assert_eq!(poll.invitations(), counts(3, 1, 0));
    decide(&mut poll, ANN, &vote()).unwrap();
    decide(&mut poll, ANN, &call_me("Ann")).unwrap();

    let again = decide(&mut poll, BEN, &redeem(1));
    assert_eq!(again, Err(ErrorCode::InvitationUsed));
    assert_eq!(poll.role(peer(BEN)), Role::Viewer);
    // Whoever may vote uses up nothing.
    for voter in [ANN, MOLLY, OWNER] {
        let second = decide(&mut poll, voter, &redeem(2));
        assert_eq!(second, Err(ErrorCode::NotAllowed));
    }
    decide(&mut poll, BEN, &redeem(2)).unwrap();
    assert_eq!(poll.invitations(), counts(3, 2, 0));
}

#[test]
fn an_invitation_that_is_not_there_or_withdrawn_lets_nobody_in() {
    let mut poll = poll(Ballots::Secret);
    let refused = |poll: &mut Poll, command: &Command| decide(poll, ANN, command).unwrap_err();
    assert_eq!(refused(&mut poll, &redeem(9)), ErrorCode::UnknownInvitation);
    // Of another poll.
    let elsewhere = Command::IssueInvitations(InvitationIssue {
        poll_id: poll_id(1),
        invitations: vec![secret(4).id(poll_id(2))],
        count: 0,
    });
    decide(&mut poll, OWNER, &elsewhere).unwrap();
    assert_eq!(refused(&mut poll, &redeem(4)), ErrorCode::UnknownInvitation);
    decide(&mut poll, OWNER, &withdraw(&[1])).unwrap();
    assert_eq!(
        refused(&mut poll, &redeem(1)),
        ErrorCode::InvitationWithdrawn
    );
    // The form in which others are told.
    let bare = redeem(2).told().unwrap();
    assert_eq!(refused(&mut poll, &bare), ErrorCode::BadField);
    assert_eq!(poll.invitations(), counts(4, 0, 1));
    assert_eq!(poll.members().count(), 1, "Molly");

    let mut open = poll_with(Ballots::Open, Admission::Link);
    for (author, command) in [
        (ANN, redeem(1)),
        (OWNER, issue(&[1])),
        (OWNER, withdraw(&[1])),
    ] {
        let refused = decide(&mut open, author, &command);
        assert_eq!(refused, Err(ErrorCode::NotAllowed));
    }
    assert_eq!(open.invitations(), None);
}

#[test]
fn a_used_invitation_that_is_withdrawn_leaves_its_holder_a_voter() {
    for ballots in [Ballots::Open, Ballots::Secret] {
        let mut poll = poll(ballots);
        decide(&mut poll, ANN, &redeem(1)).unwrap();
        decide(&mut poll, OWNER, &withdraw(&[1, 2])).unwrap();
        assert_eq!(poll.invitations(), counts(3, 1, 2));
        decide(&mut poll, ANN, &vote()).unwrap();
        // Which were used is the owner's to see where the ballots are, too.
        let is_open = ballots == Ballots::Open;
        let expected = [(true, true), (false, true), (false, false)];
        let issued = poll.issued();
        let expected = expected.map(|(used, withdrawn)| (is_open.then_some(used), withdrawn));
        let seen: Vec<_> = issued.iter().map(|it| (it.used, it.withdrawn)).collect();
        assert_eq!(seen, expected);
        let ids: Vec<_> = issued.iter().map(|it| it.id).collect();
        assert_eq!(ids, [1, 2, 3].map(|it| secret(it).id(poll_id(1))));

        let twice = decide(&mut poll, OWNER, &withdraw(&[2]));
        assert_eq!(twice, Err(ErrorCode::InvitationWithdrawn));
    }
}

#[test]
fn only_the_owner_invites() {
    let mut poll = poll(Ballots::Open);
    for author in [ANN, MOLLY] {
        for command in [issue(&[7]), withdraw(&[1])] {
            let refused = decide(&mut poll, author, &command);
            assert_eq!(refused, Err(ErrorCode::NotAllowed));
        }
    }
    // Nor does a moderator by way of roles. What they may take, only the owner gives back.
    let lets_vote = role(ANN, Role::Voter);
    let refused = decide(&mut poll, MOLLY, &lets_vote);
    assert_eq!(refused, Err(ErrorCode::NotAllowed));
    decide(&mut poll, OWNER, &lets_vote).unwrap();
    decide(&mut poll, ANN, &vote()).unwrap();
    decide(&mut poll, MOLLY, &role(ANN, Role::Viewer)).unwrap();
    let refused = decide(&mut poll, MOLLY, &lets_vote);
    assert_eq!(refused, Err(ErrorCode::NotAllowed));
    decide(&mut poll, ANN, &redeem(1)).unwrap();
    assert_eq!(poll.role(peer(ANN)), Role::Voter);
}

#[test]
fn whoever_was_removed_needs_more_than_an_invitation() {
    let mut poll = poll(Ballots::Open);
    let remove = Command::RemovePeer(PeerRemoval {
        poll_id: poll_id(1),
        peer_id: peer(ANN),
        keep_vote: false,
    });
    decide(&mut poll, MOLLY, &remove).unwrap();
    assert_eq!(decide(&mut poll, ANN, &redeem(1)), Err(ErrorCode::Removed));
    let readmit = Command::ReadmitPeer(PeerReadmission {
        poll_id: poll_id(1),
        peer_id: peer(ANN),
    });
    decide(&mut poll, MOLLY, &readmit).unwrap();
    assert_eq!(poll.role(peer(ANN)), Role::Viewer);
    decide(&mut poll, ANN, &redeem(1)).unwrap();
}

#[test]
fn there_are_as_many_as_the_limits_allow_and_each_once() {
    let mut poll = poll(Ballots::Open);
    let refused = |poll: &mut Poll, command: &Command| decide(poll, OWNER, command).unwrap_err();
    assert_eq!(
        refused(&mut poll, &issue(&[4, 3])),
        ErrorCode::InvitationExists
    );
    assert_eq!(refused(&mut poll, &issue(&[4, 4])), ErrorCode::BadField);
    assert_eq!(refused(&mut poll, &issue(&[])), ErrorCode::BadField);
    assert_eq!(refused(&mut poll, &withdraw(&[1, 1])), ErrorCode::BadField);
    assert_eq!(
        refused(&mut poll, &withdraw(&[1, 9])),
        ErrorCode::UnknownInvitation
    );
    // An owner names each one: a number is what others are told.
    let number = issue(&[4]).told().unwrap();
    assert_eq!(refused(&mut poll, &number), ErrorCode::BadField);

    let limits = Limits {
        max_invitations: 4,
        max_invitations_at_once: 2,
        ..Limits::default()
    };
    let code = |issued: Result<(), hustings_protocol::Rejection>| issued.map_err(|it| it.code);
    let two = issue(&[4, 5]);
    let full = poll.decide(peer(OWNER), &two, &limits);
    assert_eq!(code(full), Err(ErrorCode::PollFull));
    poll.decide(peer(OWNER), &issue(&[4]), &limits).unwrap();
    assert_eq!(code(two.check_lengths(&limits)), Ok(()));
    let long = issue(&[4, 5, 6]).check_lengths(&limits);
    assert_eq!(code(long), Err(ErrorCode::TooLong));
}

/// A journal's snapshot has them, and nothing that is told.
#[test]
fn the_journal_has_the_invitations_and_nobody_else() {
    let mut poll = poll(Ballots::Open);
    decide(&mut poll, ANN, &redeem(1)).unwrap();
    decide(&mut poll, OWNER, &withdraw(&[2])).unwrap();
    let at = Position {
        epoch: Epoch::new(1),
        revision: Revision::new(9).unwrap(),
        history: None,
    };
    let limits = Limits::default();
    let journaled = poll.encode_journaled(at);
    let mut read = PollState::decode_journaled(&journaled, &limits)
        .unwrap()
        .poll;
    assert_eq!(read.issued(), poll.issued());
    assert_eq!(read.encode_journaled(at), journaled);
    assert_eq!(
        decide(&mut read, BEN, &redeem(1)),
        Err(ErrorCode::InvitationUsed)
    );
    assert_eq!(
        decide(&mut read, BEN, &redeem(2)),
        Err(ErrorCode::InvitationWithdrawn)
    );
    assert_eq!(decide(&mut read, BEN, &redeem(3)), Ok(()));
    decide(&mut read, OWNER, &issue(&[4])).unwrap();
    assert_eq!(read.issued()[3].id, secret(4).id(poll_id(1)));

    let told = String::from_utf8(poll.told_to(peer(BEN)).encode_state(at).to_vec()).unwrap();
    let plain = String::from_utf8(poll.encode_state(at).to_vec()).unwrap();
    let shown = format!("{poll:?} {:?}", redeem(1));
    for number in 1..=3 {
        let names = [
            secret(number).to_string(),
            secret(number).id(poll_id(1)).to_string(),
        ];
        for text in [&told, &plain, &shown] {
            assert!(names.iter().all(|name| !text.contains(name)), "{text}");
        }
        // A secret is not in the journal's snapshot either.
        let journaled = String::from_utf8_lossy(&journaled);
        assert!(!journaled.contains(&names[0]) && journaled.contains(&names[1]));
    }
    let copy = poll.told_to(peer(BEN));
    assert_eq!(copy.invitations(), counts(3, 1, 1));
    assert!(copy.issued().is_empty());
}

/// Others fold what they are told, and have the same poll.
#[test]
fn a_copy_follows_by_numbers_alone() {
    let mut poll = poll(Ballots::Open);
    let mut copy = poll.told_to(peer(BEN));
    for (author, command) in [
        (ANN, redeem(1)),
        (OWNER, issue(&[4, 5])),
        (OWNER, withdraw(&[2, 5])),
        (ANN, vote()),
    ] {
        decide(&mut poll, author, &command).unwrap();
        let told = command.told().unwrap_or(command);
        assert_eq!(
            told.told(),
            told.kind()
                .as_str()
                .contains("invitation")
                .then(|| told.clone())
        );
        copy.apply(peer(author), &told, &Limits::default()).unwrap();
        assert_eq!(copy, poll);
    }
    // One's own is taken to be good until the owner says otherwise.
    copy.apply(peer(BEN), &redeem(9), &Limits::default())
        .unwrap();
    assert_eq!(copy.role(peer(BEN)), Role::Voter);
}

#[test]
fn a_secret_has_one_spelling_and_an_id_for_each_poll() {
    let secret = InvitationSecret::from_bytes(*b"0123456789abcdef");
    let text = secret.to_string();
    assert_eq!(text.len(), InvitationSecret::TEXT_LEN);
    assert_eq!(text.parse(), Ok(secret));
    for wrong in [&text.to_uppercase(), &text[1..], &text.replace('a', "1")] {
        assert!(wrong.parse::<InvitationSecret>().is_err(), "{wrong}");
    }
    assert_ne!(secret.id(poll_id(1)), secret.id(poll_id(2)));
    // For owners in other languages: SHA-512 over "hustings/2/invitation", the poll's 16 bytes and
    // the 16 bytes of the secret.
    let poll = hustings_protocol::PollId::from_uuid(uuid::Uuid::nil());
    assert_eq!(secret.id(poll).to_string(), "idbhr4ot6ip6zeyburp2tv6mim");
}

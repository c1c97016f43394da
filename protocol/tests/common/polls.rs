//! Polls and what people do in them, drawn from a small town.
//!
//! Few people and few options, so that random commands meet each other: the same option is added
//! twice, a moderator is deposed, somebody votes in a poll that was closed a moment ago.

use hustings_protocol::{
    Command, InvitationIssue, InvitationRedemption, InvitationWithdrawal, Limits, OptionAdd,
    OptionUpdate, PeerId, PeerReadmission, PeerRemoval, Poll, PollDraft, Role, RoleUpdate,
    SettingsUpdate, UserProfile, Vote,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::messages::{
    any_admission, any_ballots, any_results, any_role, any_sound_text, any_text,
};
use super::{option_id, peer, poll_id, secret};

/// The poll of this town. The poll [`ELSEWHERE`] is another one.
pub(crate) const HERE: u8 = 1;
pub(crate) const ELSEWHERE: u8 = 2;
/// The owner, and how many people there are with it.
pub(crate) const OWNER: u8 = 0;
const PEOPLE: u8 = 6;
/// The number of options in use. The first few may be there from the start.
const OPTIONS: u8 = 8;
/// The number of secrets in use, issued or not.
const SECRETS: u8 = 5;

/// A command of one of the townspeople.
pub(crate) type Deed = (PeerId, Command);

pub(crate) fn any_draft() -> impl Strategy<Value = PollDraft> {
    (
        any_sound_text(20),
        vec(any_sound_text(12), 0..4),
        any::<bool>(),
        any::<bool>(),
        (
            any_ballots(),
            any_results(),
            any_admission(),
            any_named_up_to(),
        ),
    )
        .prop_map(
            |(title, labels, multiple_choice, voters_may_add_options, kind)| {
                let (ballots, results, admission, named) = kind;
                // A text of nothing is refused, and a label that is there twice.
                let labels = labels.into_iter().enumerate();
                PollDraft::new(format!("{title}?"))
                    .options(labels.map(|(number, label)| format!("{label}{number}")))
                    .multiple_choice(multiple_choice)
                    .voters_may_add_options(voters_may_add_options)
                    .ballots(ballots)
                    .results(results)
                    .admission(admission)
                    .voters_named_up_to(named)
            },
        )
}

/// Often so few that the town has more.
fn any_named_up_to() -> impl Strategy<Value = u32> {
    prop_oneof![Just(PollDraft::VOTERS_NAMED_UP_TO), 0..u32::from(PEOPLE)]
}

/// The town's poll from this draft; its options are 0, 1, 2 …
pub(crate) fn poll_of(draft: PollDraft, limits: &Limits) -> Poll {
    let mut ids = (0..).map(option_id);
    Poll::new(
        poll_id(HERE),
        peer(OWNER),
        draft,
        || ids.next().expect("few options"),
        limits,
    )
    .expect("the draft keeps to the limits")
}

pub(crate) fn any_new_poll() -> impl Strategy<Value = Poll> {
    any_draft().prop_map(|draft| poll_of(draft, &Limits::default()))
}

/// A poll with a past.
pub(crate) fn any_poll() -> impl Strategy<Value = Poll> {
    (any_new_poll(), any_deeds()).prop_map(|(mut poll, deeds)| {
        for (author, command) in deeds {
            // What is refused changes nothing, which is a test of its own.
            let _ = poll.apply(author, &command, &Limits::default());
        }
        poll
    })
}

pub(crate) fn any_deeds() -> impl Strategy<Value = Vec<Deed>> {
    vec(any_deed(), 0..60)
}

pub(crate) fn any_deed() -> impl Strategy<Value = Deed> {
    // The owner is one of the crowd, but does what only an owner may often enough to matter.
    let author = prop_oneof![2 => Just(OWNER), 5 => 0..PEOPLE].prop_map(peer);
    (author, any_town_command())
}

fn any_town_command() -> impl Strategy<Value = Command> {
    let poll = || prop_oneof![30 => Just(HERE), 1 => Just(ELSEWHERE)].prop_map(poll_id);
    let vote =
        (poll(), vec((0..OPTIONS).prop_map(option_id), 0..4)).prop_map(|(poll_id, option_ids)| {
            Command::Vote(Vote {
                poll_id,
                option_ids,
            })
        });
    let option = (poll(), (0..OPTIONS).prop_map(option_id), any_text(12)).prop_map(
        |(poll_id, option_id, label)| {
            Command::AddOption(OptionAdd {
                poll_id,
                option_id,
                label,
            })
        },
    );
    let role = (poll(), (0..PEOPLE).prop_map(peer), any_role()).prop_map(
        |(poll_id, peer_id, role): (_, _, Role)| {
            Command::UpdateRole(RoleUpdate {
                poll_id,
                peer_id,
                role,
            })
        },
    );
    let profile = any_text(12).prop_map(|name| Command::SetProfile(UserProfile { name }));
    let settings = (
        poll(),
        option::of(any::<bool>()),
        option::of(any::<bool>()),
        option::of(any_results()),
    )
        .prop_map(|(poll_id, closed, voters_may_add_options, results)| {
            Command::UpdateSettings(
                SettingsUpdate::new(poll_id)
                    .closed(closed)
                    .results(results)
                    .voters_may_add_options(voters_may_add_options),
            )
        });
    let edit = (
        poll(),
        (0..OPTIONS).prop_map(option_id),
        option::of(any_text(12)),
        option::of(any::<bool>()),
    )
        .prop_map(|(poll_id, option_id, label, withdrawn)| {
            let mut update = OptionUpdate::new(poll_id, option_id);
            update.label = label;
            update.withdrawn = withdrawn;
            Command::UpdateOption(update)
        });
    let removal = (poll(), (0..PEOPLE).prop_map(peer), any::<bool>()).prop_map(
        |(poll_id, peer_id, keep_vote)| {
            Command::RemovePeer(PeerRemoval {
                poll_id,
                peer_id,
                keep_vote,
            })
        },
    );
    let readmission = (poll(), (0..PEOPLE).prop_map(peer))
        .prop_map(|(poll_id, peer_id)| Command::ReadmitPeer(PeerReadmission { poll_id, peer_id }));
    let named = || {
        vec(
            (0..SECRETS).prop_map(|it| secret(it).id(poll_id(HERE))),
            0..3,
        )
    };
    let issue = (poll(), named()).prop_map(|(poll_id, invitations)| {
        Command::IssueInvitations(InvitationIssue {
            poll_id,
            invitations,
            count: 0,
        })
    });
    let withdrawal = (poll(), named()).prop_map(|(poll_id, invitations)| {
        Command::WithdrawInvitations(InvitationWithdrawal {
            poll_id,
            invitations,
            count: 0,
        })
    });
    let redemption = (poll(), 0..SECRETS).prop_map(|(poll_id, number)| {
        Command::RedeemInvitation(InvitationRedemption {
            poll_id,
            secret: Some(secret(number)),
        })
    });
    prop_oneof![
        8 => vote, 3 => option, 2 => role, 2 => profile, 1 => settings, 2 => edit, 1 => removal,
        2 => readmission, 3 => issue, 1 => withdrawal, 3 => redemption,
    ]
}

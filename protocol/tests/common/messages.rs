//! A strategy for each kind of value that crosses a link, all within the default limits.

use hustings_protocol::handshake::{Nonce, Signature};
use hustings_protocol::{
    Ack, Address, Admission, Ballots, Challenge, Command, CommandId, DeviceId, Epoch, ErrorCode,
    Hello, HistoryMark, InvitationId, InvitationIssue, InvitationRedemption, InvitationSecret,
    InvitationWithdrawal, MAX_SAFE_INTEGER, Message, Numbered, OptionAdd, OptionId, OptionUpdate,
    PeerId, PeerInfo, PeerReadmission, PeerRemoval, PollId, PollState, PollTally, Position, Proof,
    Refusal, Rejection, Results, Revision, Role, RoleUpdate, RoomId, Seen, Seq, SettingsUpdate,
    Shown, SyncRequest, Update, UserProfile, Vote,
};
use proptest::array::{uniform5, uniform32};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use uuid::Uuid;

use super::polls::any_poll;

pub(crate) fn any_peer() -> impl Strategy<Value = PeerId> {
    uniform32(any::<u8>()).prop_map(PeerId::from_bytes)
}

pub(crate) fn any_device() -> impl Strategy<Value = DeviceId> {
    uniform5(any::<u8>()).prop_map(DeviceId::from_bytes)
}

/// Any 128 bits, not only the versions of UUID that this crate makes: an id from outside is a name
/// and no more.
fn any_uuid() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}

pub(crate) fn any_poll_id() -> impl Strategy<Value = PollId> {
    any_uuid().prop_map(PollId::from_uuid)
}

pub(crate) fn any_option_id() -> impl Strategy<Value = OptionId> {
    any_uuid().prop_map(OptionId::from_uuid)
}

pub(crate) fn any_command_id() -> impl Strategy<Value = CommandId> {
    any_uuid().prop_map(CommandId::from_uuid)
}

pub(crate) fn any_nonce() -> impl Strategy<Value = Nonce> {
    uniform32(any::<u8>()).prop_map(Nonce::from_bytes)
}

pub(crate) fn any_signature() -> impl Strategy<Value = Signature> {
    vec(any::<u8>(), 64).prop_map(|bytes| {
        Signature::from_bytes(bytes.try_into().expect("the strategy makes 64 bytes"))
    })
}

pub(crate) fn any_room_link() -> impl Strategy<Value = RoomId> {
    (any_peer(), any_poll_id()).prop_map(|(owner, poll)| RoomId {
        owner,
        poll_id: poll,
    })
}

pub(crate) fn any_address() -> impl Strategy<Value = Address> {
    prop_oneof![
        any_peer().prop_map(Address::Owner),
        (any_peer(), any_device()).prop_map(|(peer, device)| Address::Participant(peer, device)),
    ]
}

/// Often at an end of the range, where off-by-one mistakes live.
pub(crate) fn any_revision() -> impl Strategy<Value = Revision> {
    prop_oneof![
        Just(Revision::ZERO),
        Just(Revision::MAX),
        (0..=MAX_SAFE_INTEGER).prop_map(|number| Revision::new(number).expect("in range")),
    ]
}

pub(crate) fn any_seq() -> impl Strategy<Value = Seq> {
    prop_oneof![Just(1), Just(MAX_SAFE_INTEGER), 1..=MAX_SAFE_INTEGER,]
        .prop_map(|number| Seq::new(number).expect("in range"))
}

pub(crate) fn any_epoch() -> impl Strategy<Value = Epoch> {
    any::<u64>().prop_map(Epoch::new)
}

pub(crate) fn any_role() -> impl Strategy<Value = Role> {
    select(vec![
        Role::Viewer,
        Role::Voter,
        Role::Moderator,
        Role::Owner,
    ])
}

pub(crate) fn any_results() -> impl Strategy<Value = Results> {
    select(vec![Results::Live, Results::AfterVote, Results::AfterClose])
}

pub(crate) fn any_ballots() -> impl Strategy<Value = Ballots> {
    select(vec![Ballots::Open, Ballots::Secret])
}

/// Text as people and attackers type it: any characters, with those that JSON escapes and those
/// that have tripped JavaScript more often than chance would have them.
pub(crate) fn any_text(max_chars: usize) -> impl Strategy<Value = String> {
    let character = prop_oneof![
        4 => any::<char>(),
        2 => proptest::char::range('a', 'z'),
        1 => select(vec!['"', '\\', '/', '\0', '\n', '\u{7f}', '\u{2028}', '\u{feff}', '💩']),
    ];
    vec(character, 0..=max_chars).prop_map(String::from_iter)
}

/// A text that may be somebody's title. No digits.
pub(crate) fn any_sound_text(max_chars: usize) -> impl Strategy<Value = String> {
    let character = prop_oneof![
        2 => proptest::char::range('a', 'z'),
        1 => select(vec!['"', '\\', '/', '<', 'Ü', 'é', 'ס', 'م', '한', '茶', '💩']),
    ];
    vec(character, 0..=max_chars).prop_map(String::from_iter)
}

pub(crate) fn any_vote() -> impl Strategy<Value = Vote> {
    (any_poll_id(), vec(any_option_id(), 0..8)).prop_map(|(poll_id, option_ids)| Vote {
        poll_id,
        option_ids,
    })
}

pub(crate) fn any_option_add() -> impl Strategy<Value = OptionAdd> {
    (any_poll_id(), any_option_id(), any_text(40)).prop_map(|(poll_id, option_id, label)| {
        OptionAdd {
            poll_id,
            option_id,
            label,
        }
    })
}

pub(crate) fn any_role_update() -> impl Strategy<Value = RoleUpdate> {
    (any_poll_id(), any_peer(), any_role()).prop_map(|(poll_id, peer_id, role)| RoleUpdate {
        poll_id,
        peer_id,
        role,
    })
}

pub(crate) fn any_profile() -> impl Strategy<Value = UserProfile> {
    any_text(40).prop_map(|name| UserProfile { name })
}

pub(crate) fn any_settings() -> impl Strategy<Value = SettingsUpdate> {
    (
        any_poll_id(),
        option::of(any::<bool>()),
        option::of(any::<bool>()),
        option::of(any_results()),
        option::of(any_text(40)),
        option::of(option::of(0..=MAX_SAFE_INTEGER)),
    )
        .prop_map(
            |(poll_id, closed, voters_may_add_options, results, title, closes_at)| {
                let mut update = SettingsUpdate::new(poll_id);
                update.title = title;
                update.closes_at = closes_at;
                update
                    .closed(closed)
                    .results(results)
                    .voters_may_add_options(voters_may_add_options)
            },
        )
}

pub(crate) fn any_option_update() -> impl Strategy<Value = OptionUpdate> {
    (
        any_poll_id(),
        any_option_id(),
        option::of(any_text(40)),
        option::of(any::<bool>()),
    )
        .prop_map(|(poll_id, option_id, label, withdrawn)| {
            let mut update = OptionUpdate::new(poll_id, option_id);
            update.label = label;
            update.withdrawn = withdrawn;
            update
        })
}

fn any_invitations() -> impl Strategy<Value = Vec<InvitationId>> {
    vec(any::<[u8; 16]>().prop_map(InvitationId::from_bytes), 0..4)
}

pub(crate) fn any_admission() -> impl Strategy<Value = Admission> {
    prop_oneof![Just(Admission::Link), Just(Admission::Invited)]
}

pub(crate) fn any_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        any_vote().prop_map(Command::Vote),
        any_option_add().prop_map(Command::AddOption),
        any_role_update().prop_map(Command::UpdateRole),
        any_profile().prop_map(Command::SetProfile),
        any_settings().prop_map(Command::UpdateSettings),
        any_option_update().prop_map(Command::UpdateOption),
        (any_poll_id(), any_peer(), any::<bool>()).prop_map(|(poll_id, peer_id, keep_vote)| {
            Command::RemovePeer(PeerRemoval {
                poll_id,
                peer_id,
                keep_vote,
            })
        }),
        (any_poll_id(), any_peer()).prop_map(|(poll_id, peer_id)| {
            Command::ReadmitPeer(PeerReadmission { poll_id, peer_id })
        }),
        (any_poll_id(), any_invitations(), any::<u32>()).prop_map(
            |(poll_id, invitations, count)| {
                Command::IssueInvitations(InvitationIssue {
                    poll_id,
                    invitations,
                    count,
                })
            }
        ),
        (any_poll_id(), any_invitations(), any::<u32>()).prop_map(
            |(poll_id, invitations, count)| {
                Command::WithdrawInvitations(InvitationWithdrawal {
                    poll_id,
                    invitations,
                    count,
                })
            }
        ),
        (any_poll_id(), option::of(any::<[u8; 16]>())).prop_map(|(poll_id, bytes)| {
            Command::RedeemInvitation(InvitationRedemption {
                poll_id,
                secret: bytes.map(InvitationSecret::from_bytes),
            })
        }),
    ]
}

pub(crate) fn any_numbered() -> impl Strategy<Value = Numbered> {
    let seen = option::of((any_epoch(), any_revision()));
    let parts = (any_command_id(), any_seq(), seen, any_command());
    parts.prop_map(|(command_id, seq, seen, command)| Numbered {
        command_id,
        seq,
        seen: seen.map(|(epoch, revision)| Seen { epoch, revision }),
        command,
    })
}

pub(crate) fn any_update() -> impl Strategy<Value = Update> {
    (
        any_peer(),
        any_device(),
        any_revision(),
        option::of(any_mark()),
        any_numbered(),
    )
        .prop_map(|(author, device, revision, history, numbered)| Update {
            author,
            device,
            revision,
            history,
            numbered,
        })
}

pub(crate) fn any_poll_state() -> impl Strategy<Value = PollState> {
    (any_position(), any_poll()).prop_map(|(at, poll)| PollState {
        revision: at.revision,
        epoch: at.epoch,
        history: at.history,
        poll,
        ballot: Vec::new(),
    })
}

/// A poll as somebody is told of it, with their own ballot beside it.
pub(crate) fn any_told_state() -> impl Strategy<Value = PollState> {
    (any_position(), any_poll(), any::<bool>(), any::<Index>()).prop_map(
        |(at, poll, is_tally, who)| {
            let shown = if is_tally {
                Shown::Tally
            } else {
                Shown::Turnout
            };
            let members: Vec<_> = poll.members().collect();
            let member = members.get(who.index(members.len().max(1)));
            let ballot = member.map_or_else(Vec::new, |(_, member)| member.choices.clone());
            PollState {
                revision: at.revision,
                epoch: at.epoch,
                history: at.history,
                poll: poll.told(shown),
                ballot,
            }
        },
    )
}

pub(crate) fn any_tally() -> impl Strategy<Value = PollTally> {
    (
        any_revision(),
        option::of(any_mark()),
        vec(any_update(), 0..3),
        option::of(vec(any::<u32>(), 0..4)),
        any_voters(),
        vec((any_peer(), vec(any::<u32>(), 0..3)), 0..3),
    )
        .prop_map(|(revision, history, updates, tally, voters, choices)| {
            let (tally, voters) = match choices.is_empty() {
                true => (tally, voters),
                false => Default::default(),
            };
            let (turnout, voted, withdrew) = voters;
            let mut updates = updates;
            updates.retain(|update| update.revision > Revision::ZERO);
            updates.sort_by_key(|update| update.revision);
            updates.dedup_by_key(|update| update.revision);
            let last = updates.last().map(|update| update.revision);
            PollTally {
                after: Revision::ZERO,
                revision: last.map_or(revision, |last| revision.max(last)),
                history,
                updates,
                tally,
                turnout,
                voted,
                withdrew,
                choices,
            }
        })
}

/// The number of voters, or those who have become ones and those who are none any more.
fn any_voters() -> impl Strategy<Value = (Option<u32>, Vec<PeerId>, Vec<PeerId>)> {
    prop_oneof![
        any::<u32>().prop_map(|turnout| (Some(turnout), Vec::new(), Vec::new())),
        (vec(any_peer(), 0..4), vec(any_peer(), 0..4))
            .prop_map(|(voted, withdrew)| (None, voted, withdrew)),
    ]
}

pub(crate) fn any_mark() -> impl Strategy<Value = HistoryMark> {
    (any::<u64>(), any::<u64>()).prop_map(|(digest, seal)| HistoryMark::new(digest, seal))
}

pub(crate) fn any_position() -> impl Strategy<Value = Position> {
    (any_epoch(), any_revision(), option::of(any_mark())).prop_map(|(epoch, revision, history)| {
        Position {
            epoch,
            revision,
            history,
        }
    })
}

pub(crate) fn any_peer_info() -> impl Strategy<Value = PeerInfo> {
    (any_peer(), any_device(), any::<bool>()).prop_map(|(peer_id, device, online)| PeerInfo {
        peer_id,
        device,
        online,
    })
}

pub(crate) fn any_ack() -> impl Strategy<Value = Ack> {
    (any_command_id(), any_revision(), option::of(any_mark())).prop_map(
        |(command_id, revision, history)| Ack {
            command_id,
            revision,
            history,
        },
    )
}

/// A code of this version or, through the same door as on the wire, of a later one.
pub(crate) fn any_error_code() -> impl Strategy<Value = ErrorCode> {
    prop_oneof![
        select(ErrorCode::ALL),
        "[a-z-]{1,20}".prop_map(|word| ErrorCode::from(word.as_str())),
    ]
}

pub(crate) fn any_refusal() -> impl Strategy<Value = Refusal> {
    (option::of(any_command_id()), any_error_code(), any_text(60)).prop_map(
        |(command_id, code, message)| Refusal {
            command_id,
            rejection: Rejection::new(code, message),
        },
    )
}

pub(crate) fn any_sync_request() -> impl Strategy<Value = SyncRequest> {
    (any_poll_id(), option::of(any_position()))
        .prop_map(|(poll_id, known)| SyncRequest { poll_id, known })
}

pub(crate) fn any_hello() -> impl Strategy<Value = Hello> {
    (
        any::<u32>(),
        any_poll_id(),
        any_peer(),
        any_device(),
        any_nonce(),
        option::of(any_epoch()),
        option::of(any_revision()),
        option::of(any_mark()),
        any_seq(),
    )
        .prop_map(
            |(v, poll_id, peer_id, device, nonce, epoch, revision, history, oldest_seq)| Hello {
                v,
                poll_id,
                peer_id,
                device,
                nonce,
                epoch,
                revision,
                history,
                oldest_seq,
            },
        )
}

pub(crate) fn any_challenge() -> impl Strategy<Value = Challenge> {
    (
        any::<u32>(),
        any_peer(),
        any_nonce(),
        option::of(any_seq()),
        option::of(0..=MAX_SAFE_INTEGER),
        any_signature(),
    )
        .prop_map(|(v, peer_id, nonce, last_seq, time, signature)| Challenge {
            v,
            peer_id,
            nonce,
            last_seq,
            time,
            signature,
        })
}

pub(crate) fn any_proof() -> impl Strategy<Value = Proof> {
    any_signature().prop_map(|signature| Proof { signature })
}

/// Every message there is.
pub(crate) fn any_message() -> impl Strategy<Value = Message> {
    prop_oneof![
        2 => any_poll_state().prop_map(Message::PollState),
        2 => any_told_state().prop_map(Message::PollState),
        2 => any_tally().prop_map(Message::PollTally),
        4 => any_numbered().prop_map(Message::Command),
        4 => any_update().prop_map(Message::Update),
        1 => vec(any_peer_info(), 0..6).prop_map(Message::Discovery),
        1 => any_ack().prop_map(Message::Ack),
        1 => any_refusal().prop_map(Message::Error),
        1 => any_sync_request().prop_map(Message::SyncRequest),
        1 => any_hello().prop_map(Message::Hello),
        1 => any_challenge().prop_map(Message::Challenge),
        1 => any_proof().prop_map(Message::Proof),
        1 => Just(Message::Ping),
        1 => Just(Message::Pong),
    ]
}

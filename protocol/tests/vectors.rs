//! The golden vectors: what this crate writes, committed, for it and for other languages to read.
//!
//! Each file in `vectors` is one frame, followed by a newline. They change only with the wire, and
//! then on purpose: `HUSTINGS_BLESS=1 cargo test -p hustings-protocol --test vectors` writes them
//! anew.

#![allow(
    clippy::unwrap_used,
    reason = "the lint lets tests unwrap, but does not know their helpers"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use ed25519_dalek::SigningKey;
use hustings_protocol::handshake::{Side, Transcript};
use hustings_protocol::{
    Ack, Admission, Ballots, Challenge, Command, Envelope, Epoch, ErrorCode, Hello, HistoryMark,
    InvitationIssue, InvitationRedemption, InvitationWithdrawal, Kind, Limits, MAX_SAFE_INTEGER,
    Message, Numbered, OptionAdd, OptionUpdate, PeerId, PeerInfo, PeerReadmission, PeerRemoval,
    Poll, PollDraft, PollState, PollTally, Position, Proof, Refusal, Rejection, Results, Revision,
    Role, RoleUpdate, Seen, Seq, SettingsUpdate, Shown, SyncRequest, Update, UserProfile, Vote,
    batch,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use common::transcript::{challenge, hello, owner_key, participant_key, proof, transcript};
use common::{command_id, device, option_id, poll_id};

/// A worked handshake rather than a frame.
const HANDSHAKE: &str = "handshake.json";
/// Several messages in one frame.
const BATCH: &str = "batch.json";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

fn read(name: &str) -> Vec<u8> {
    let path = folder().join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The bytes of the frame in a file: all but the newline at its end.
fn frame_of(file: &[u8]) -> &[u8] {
    file.strip_suffix(b"\n").unwrap_or(file)
}

/// The file says exactly this, or is made to.
fn assert_is_written(name: &str, content: &[u8]) {
    let mut file = content.to_vec();
    file.push(b'\n');
    if std::env::var_os("HUSTINGS_BLESS").is_some() {
        fs::create_dir_all(folder()).unwrap();
        fs::write(folder().join(name), &file).unwrap();
    }
    let committed = read(name);
    assert_eq!(
        String::from_utf8_lossy(frame_of(&committed)),
        String::from_utf8_lossy(content),
        "{name} is not what is written"
    );
}

fn files() -> BTreeSet<String> {
    fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// One command of each kind, in a poll of the author of the handshake's vector.
fn commands() -> Vec<Command> {
    let poll_id = poll_id(3);
    vec![
        Command::Vote(Vote {
            poll_id,
            option_ids: vec![option_id(1), option_id(2)],
        }),
        Command::AddOption(OptionAdd {
            poll_id,
            option_id: option_id(3),
            label: "Äpfel & \"Birnen\" \u{1f34e}".to_owned(),
        }),
        Command::UpdateRole(RoleUpdate {
            poll_id,
            peer_id: PeerId::of(&owner_key()),
            role: Role::Moderator,
        }),
        Command::SetProfile(UserProfile {
            name: "Łucja".to_owned(),
        }),
        Command::UpdateSettings(
            SettingsUpdate::new(poll_id)
                .closed(true)
                .voters_may_add_options(false)
                .results(Results::AfterVote)
                .title("Which \"fruit\"?")
                .closes_at(1_790_000_000_000),
        ),
        Command::UpdateOption(
            OptionUpdate::new(poll_id, option_id(2))
                .label("Pear")
                .withdrawn(true),
        ),
        Command::RemovePeer(PeerRemoval {
            poll_id,
            peer_id: common::peer(8),
            keep_vote: false,
        }),
        Command::ReadmitPeer(PeerReadmission {
            poll_id,
            peer_id: common::peer(8),
        }),
        Command::IssueInvitations(InvitationIssue {
            poll_id,
            invitations: vec![common::secret(1).id(poll_id), common::secret(2).id(poll_id)],
            count: 0,
        }),
        Command::WithdrawInvitations(InvitationWithdrawal {
            poll_id,
            invitations: vec![common::secret(2).id(poll_id)],
            count: 0,
        }),
        Command::RedeemInvitation(InvitationRedemption {
            poll_id,
            secret: Some(common::secret(1)),
        }),
    ]
}

fn numbered(command: Command) -> Numbered {
    Numbered {
        command_id: command_id(9),
        seq: Seq::new(7).unwrap(),
        seen: None,
        command,
    }
}

/// The same, as a device sends it that has seen the poll.
fn submitted(command: Command) -> Message {
    Message::Command(Numbered {
        seen: Some(Seen {
            epoch: Epoch::new(0x00c0_ffee_0000_0001),
            revision: Revision::new(41).unwrap(),
        }),
        ..numbered(command)
    })
}

/// A poll with everything that a poll can have: an owner with a name, a moderator, a voter with a
/// vote and no name, a viewer.
fn poll() -> Poll {
    let limits = Limits::default();
    let owner = PeerId::of(&owner_key());
    let participant = PeerId::of(&participant_key());
    let mut ids = (1..).map(option_id);
    let draft = PollDraft::new("Which fruit?")
        .ballots(Ballots::Open)
        .options(["Apple", "Пeaр"])
        .multiple_choice(true)
        .voters_may_add_options(true);
    let mut poll = Poll::new(poll_id(3), owner, draft, || ids.next().unwrap(), &limits).unwrap();
    let role = |peer_id, role| {
        Command::UpdateRole(RoleUpdate {
            poll_id: poll_id(3),
            peer_id,
            role,
        })
    };
    let name = |name: &str| {
        Command::SetProfile(UserProfile {
            name: name.to_owned(),
        })
    };
    for (author, command) in [
        (owner, name("Olga")),
        (owner, role(participant, Role::Moderator)),
        (participant, vote(&[2, 1])),
        (participant, name("Łucja")),
        (common::peer(8), vote(&[1])),
        (owner, role(common::peer(9), Role::Viewer)),
    ] {
        poll.apply(author, &command, &limits).unwrap();
    }
    poll
}

/// A poll whose ballots are secret and whose results are shown to those who have voted.
fn secret() -> Poll {
    let mut ids = (1..).map(option_id);
    let draft = PollDraft::new("Which fruit?")
        .options(["Apple", "Pear"])
        .results(Results::AfterVote)
        .closes_at(1_790_000_000_000);
    let owner = PeerId::of(&owner_key());
    let next = || ids.next().unwrap();
    Poll::new(poll_id(3), owner, draft, next, &Limits::default()).unwrap()
}

/// A poll in which only invited people vote: one has come.
fn invited() -> Poll {
    let draft = PollDraft::new("Which fruit?").admission(Admission::Invited);
    let owner = PeerId::of(&owner_key());
    let limits = Limits::default();
    let mut poll = Poll::new(poll_id(3), owner, draft, || option_id(1), &limits).unwrap();
    let about = |command: &Command| command.kind().as_str().starts_with("poll:invitation:");
    for command in commands().into_iter().filter(about) {
        let author = match &command {
            Command::RedeemInvitation(_) => PeerId::of(&participant_key()),
            Command::IssueInvitations(_) | Command::WithdrawInvitations(_) | _ => owner,
        };
        poll.apply(author, &command, &limits).unwrap();
    }
    poll.told(Shown::Tally)
}

/// A poll that counts its voters from the second member on, told to somebody who is none yet.
fn counted() -> Poll {
    let mut ids = (1..).map(option_id);
    let draft = PollDraft::new("Which fruit?")
        .options(["Apple", "Pear"])
        .voters_named_up_to(1);
    let (owner, limits) = (PeerId::of(&owner_key()), Limits::default());
    let next = || ids.next().unwrap();
    let mut poll = Poll::new(poll_id(3), owner, draft, next, &limits).unwrap();
    for (author, command) in [
        (PeerId::of(&participant_key()), vote(&[1])),
        (common::peer(8), vote(&[2])),
    ] {
        poll.apply(author, &command, &limits).unwrap();
    }
    poll.told(Shown::Tally)
}

fn vote(options: &[u8]) -> Command {
    Command::Vote(Vote {
        poll_id: poll_id(3),
        option_ids: options.iter().copied().map(option_id).collect(),
    })
}

/// Every vector and what it means.
fn vectors() -> BTreeMap<String, Message> {
    let participant = PeerId::of(&participant_key());
    let epoch = Epoch::new(0x00c0_ffee_0000_0001);
    let revision = Revision::new(42).unwrap();
    let history = Some(HistoryMark::new(
        0x0123_4567_89ab_cdef,
        0xfedc_ba98_7654_3210,
    ));
    let mut vectors = BTreeMap::new();
    let mut add = |name: &str, message| {
        let before = vectors.insert(format!("{name}.json"), message);
        assert_eq!(before, None, "two vectors of the name {name}");
    };

    for command in commands() {
        let name = command.kind().as_str().replace(':', "-");
        add(&name, submitted(command.clone()));
        add(
            &format!("{name}-update"),
            Message::Update(Update {
                author: participant,
                device: device(4),
                revision,
                history,
                numbered: numbered(command.told().unwrap_or(command)),
            }),
        );
    }
    // What a peer may leave out, also what it had seen.
    add(
        "poll-vote-withdrawn",
        submitted(Command::Vote(Vote {
            poll_id: poll_id(3),
            option_ids: Vec::new(),
        })),
    );
    add(
        "poll-settings-one",
        Message::Command(numbered(Command::UpdateSettings(
            SettingsUpdate::new(poll_id(3)).closed(false),
        ))),
    );
    add(
        "poll-settings-no-deadline",
        Message::Command(numbered(Command::UpdateSettings(
            SettingsUpdate::new(poll_id(3)).closes_at(None),
        ))),
    );
    add(
        "poll-state",
        Message::PollState(PollState {
            revision: Revision::MAX,
            epoch: Epoch::new(u64::MAX),
            history,
            poll: poll(),
            ballot: Vec::new(),
        }),
    );
    let told = {
        let mut secret = secret();
        secret
            .apply(participant, &vote(&[2]), &Limits::default())
            .unwrap();
        let remove = Command::RemovePeer(PeerRemoval {
            poll_id: poll_id(3),
            peer_id: common::peer(8),
            keep_vote: true,
        });
        let withdraw = OptionUpdate::new(poll_id(3), option_id(1)).withdrawn(true);
        for command in [remove, Command::UpdateOption(withdraw)] {
            let owner = secret.owner();
            secret.apply(owner, &command, &Limits::default()).unwrap();
        }
        secret
    };
    add(
        "poll-state-told",
        Message::PollState(PollState {
            revision,
            epoch,
            history,
            poll: told.told(Shown::Tally),
            ballot: vec![option_id(2)],
        }),
    );
    add(
        "poll-state-turnout",
        Message::PollState(PollState {
            revision,
            epoch,
            history,
            poll: told.told(Shown::Turnout),
            ballot: Vec::new(),
        }),
    );
    add(
        "poll-state-invited",
        Message::PollState(PollState {
            revision,
            epoch,
            history,
            poll: invited(),
            ballot: Vec::new(),
        }),
    );
    add(
        "poll-tally",
        Message::PollTally(PollTally {
            after: Revision::new(40).unwrap(),
            revision,
            history,
            updates: Vec::new(),
            tally: Some(vec![0, 1]),
            turnout: None,
            voted: vec![participant],
            withdrew: vec![common::peer(8)],
            choices: Vec::new(),
        }),
    );
    add(
        "poll-state-counted",
        Message::PollState(PollState {
            revision,
            epoch,
            history,
            poll: counted(),
            ballot: vec![option_id(2)],
        }),
    );
    add(
        "poll-tally-counted",
        Message::PollTally(PollTally {
            after: Revision::new(40).unwrap(),
            revision,
            history,
            updates: Vec::new(),
            tally: Some(vec![199, 101]),
            turnout: Some(300),
            voted: Vec::new(),
            withdrew: Vec::new(),
            choices: Vec::new(),
        }),
    );
    add(
        "poll-tally-choices",
        Message::PollTally(PollTally {
            after: Revision::new(40).unwrap(),
            revision,
            history,
            choices: vec![(participant, vec![1]), (common::peer(8), Vec::new())],
            ..PollTally::default()
        }),
    );
    add(
        "poll-tally-turnout",
        Message::PollTally(PollTally {
            after: Revision::new(41).unwrap(),
            revision,
            history: None,
            updates: vec![Update {
                author: PeerId::of(&owner_key()),
                device: device(1),
                revision,
                history,
                numbered: numbered(Command::UpdateSettings(
                    SettingsUpdate::new(poll_id(3)).results(Results::AfterClose),
                )),
            }],
            tally: None,
            turnout: None,
            voted: Vec::new(),
            withdrew: Vec::new(),
            choices: Vec::new(),
        }),
    );
    add(
        "peer-discovery",
        Message::Discovery(vec![
            PeerInfo {
                peer_id: PeerId::of(&owner_key()),
                device: device(1),
                online: true,
            },
            PeerInfo {
                peer_id: participant,
                device: device(4),
                online: false,
            },
        ]),
    );
    add(
        "ack",
        Message::Ack(Ack {
            command_id: command_id(9),
            revision,
            history,
        }),
    );
    let refusal = |command_id| {
        Message::Error(Refusal {
            command_id,
            rejection: Rejection::new(ErrorCode::PollClosed, "this poll is closed"),
        })
    };
    add("error", refusal(Some(command_id(9))));
    add("error-without-command", refusal(None));
    let sync_request = |known| {
        Message::SyncRequest(SyncRequest {
            poll_id: poll_id(3),
            known,
        })
    };
    add("sync-request", sync_request(None));
    add(
        "sync-request-known",
        sync_request(Some(Position {
            epoch,
            revision,
            history,
        })),
    );
    add("auth-hello-known", Message::Hello(hello()));
    add(
        "auth-hello",
        Message::Hello(Hello {
            epoch: None,
            revision: None,
            history: None,
            oldest_seq: Seq::FIRST,
            ..hello()
        }),
    );
    add("auth-challenge", Message::Challenge(challenge()));
    add("auth-proof", Message::Proof(proof()));
    add("ping", Message::Ping);
    add("pong", Message::Pong);
    vectors
}

/// A frame of an owner after a commit with two votes, one of them by whoever gets it.
#[test]
fn the_batch_is_what_its_messages_are_written_as() {
    let vectors = vectors();
    let names = ["poll-vote-update", "ack", "peer-discovery"];
    let messages = names.map(|name| &vectors[&format!("{name}.json")]);
    let frame = batch::join(&messages.map(Message::encode));
    assert_is_written(BATCH, &frame);
    let file = read(BATCH);
    let read = batch::messages(frame_of(&file), batch::MAX_BYTES).unwrap();
    let read = read
        .into_iter()
        .map(|it| Message::decode(it, &Limits::default()).unwrap());
    assert!(read.eq(messages.map(Clone::clone)));
}

#[test]
fn each_vector_is_what_its_message_is_written_as() {
    for (name, message) in vectors() {
        assert_is_written(&name, &message.encode());
        let file = read(&name);
        assert_eq!(
            Message::decode(frame_of(&file), &Limits::default()),
            Ok(message),
            "{name}"
        );
    }
}

/// For files, whoever made them: nothing here knows what they should say.
#[test]
fn each_file_is_read_and_written_back_as_the_same_bytes() {
    let are_apart = [HANDSHAKE, BATCH];
    for name in files()
        .iter()
        .filter(|name| !are_apart.contains(&name.as_str()))
    {
        let file = read(name);
        let frame = frame_of(&file);
        let message = Message::decode(frame, &Limits::default())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(message.encode(), frame, "{name}");
    }
}

#[test]
fn no_file_is_without_a_meaning() {
    let mut expected: BTreeSet<String> = vectors().into_keys().collect();
    expected.extend([HANDSHAKE, BATCH].map(str::to_owned));
    assert_eq!(files(), expected);
}

#[test]
fn no_kind_is_without_a_vector() {
    let limits = Limits::default();
    let files: Vec<Vec<u8>> = vectors().keys().map(|name| read(name)).collect();
    let seen: BTreeSet<Kind> = files
        .iter()
        .map(|file| {
            Envelope::parse(file, limits.max_frame_bytes, &limits)
                .and_then(|envelope| envelope.kind())
                .unwrap()
        })
        .collect();
    assert_eq!(seen, Kind::all().collect());

    for kind in Kind::all() {
        let name = kind.as_str().replace(':', "-");
        assert!(vectors().contains_key(&format!("{name}.json")), "{kind}");
        assert_eq!(
            vectors().contains_key(&format!("{name}-update.json")),
            kind.is_command(),
            "{kind}"
        );
    }
}

/// JavaScript reads every number as a double, and any other than these would come back changed.
#[test]
fn javascript_reads_every_number_exactly() {
    fn walk(value: &Value, name: &str) {
        match value {
            Value::Number(number) => assert!(
                number
                    .as_u64()
                    .is_some_and(|number| number <= MAX_SAFE_INTEGER),
                "{name} has the number {number}"
            ),
            Value::Array(items) => items.iter().for_each(|item| walk(item, name)),
            Value::Object(fields) => fields.values().for_each(|field| walk(field, name)),
            Value::Null | Value::Bool(_) | Value::String(_) => {}
        }
    }
    for name in files() {
        walk(&serde_json::from_slice(&read(&name)).unwrap(), &name);
    }
}

const DIGESTS: &str = "\
poll-invitation-issue.json 2f16734caa0ae955
poll-invitation-redeem.json cc6d9e12445ba304
poll-invitation-withdraw.json 065c0601fdc6dc7a
poll-option-add.json dfb1b7e8102bf591
poll-option-update.json 3e0d5242f10f0f94
poll-peer-readmit.json 4943e5c95b044f06
poll-peer-remove.json d56d17f33ace6d54
poll-role-update.json e5a3780777e3a5ae
poll-settings-no-deadline.json 393b1a9e6df53bf1
poll-settings-one.json 0af343f0f1d66871
poll-settings.json dac706fab284d9d7
poll-vote-withdrawn.json 4af55c56ad05c6e2
poll-vote.json a387bed2e265da0d
user-profile.json 129fbf4a2220e9d1
";

/// An owner keeps digests in its journal for good, so they must never become others.
#[test]
fn digests_never_change() {
    let limits = Limits::default();
    let mut digests = String::new();
    for name in vectors().keys() {
        let file = read(name);
        let envelope = Envelope::parse(&file, limits.max_frame_bytes, &limits).unwrap();
        if envelope.kind().unwrap().is_command() && envelope.author().is_none() {
            digests += &format!("{name} {:016x}\n", envelope.digest());
        }
    }
    assert_eq!(digests, DIGESTS);
}

/// `handshake.json`: all that a client in another language needs in order to check its own.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct HandshakeVector {
    about: String,
    owner: Party,
    participant: Party,
    poll_id: String,
    device: String,
    frames: Frames,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Party {
    /// The Ed25519 secret key (RFC 8032), in hex.
    secret_key: String,
    /// The public key, in hex.
    public_key: String,
    /// The public key, as a peer id.
    peer_id: String,
    nonce: String,
    /// The binding of this end of the channel, in hex.
    binding: String,
    /// The bytes that this side signs, in hex.
    transcript: String,
    /// The signature, in hex.
    signature_hex: String,
    /// The signature, as it is on the wire.
    signature: String,
}

/// The three frames, each as the text that is sent.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Frames {
    hello: String,
    challenge: String,
    proof: String,
}

fn handshake_vector() -> HandshakeVector {
    let transcript = transcript();
    let party = |side, key: &SigningKey, nonce: String, binding: &[u8]| {
        let signature = transcript.sign(side, key);
        Party {
            secret_key: HEXLOWER.encode(key.as_bytes()),
            public_key: HEXLOWER.encode(key.verifying_key().as_bytes()),
            peer_id: PeerId::of(key).to_string(),
            nonce,
            binding: HEXLOWER.encode(binding),
            transcript: HEXLOWER.encode(&transcript.bytes(side)),
            signature_hex: HEXLOWER.encode(signature.as_bytes()),
            signature: signature.to_string(),
        }
    };
    let text = |message: Message| String::from_utf8(message.encode().to_vec()).unwrap();
    HandshakeVector {
        about: "One whole handshake. secretKey, publicKey, binding, transcript and signatureHex are \
                hex; peerId, nonce, device and signature are lower-case base32 without padding. A \
                transcript is nine fields, each with its length before it (32 bits, big-endian): \
                the side's domain, the owner's peer id, the participant's, the poll id, the device, \
                the participant's nonce, the owner's (all of these as text), the owner's binding, \
                the participant's (as bytes)."
            .to_owned(),
        owner: party(
            Side::Owner,
            &owner_key(),
            transcript.owner_nonce.to_string(),
            transcript.owner_binding,
        ),
        participant: party(
            Side::Participant,
            &participant_key(),
            transcript.participant_nonce.to_string(),
            transcript.participant_binding,
        ),
        poll_id: transcript.poll_id.to_string(),
        device: transcript.device.to_string(),
        frames: Frames {
            hello: text(Message::Hello(hello())),
            challenge: text(Message::Challenge(challenge())),
            proof: text(Message::Proof(proof())),
        },
    }
}

#[test]
fn the_handshake_vector_is_reproduced() {
    let json = serde_json::to_string_pretty(&handshake_vector()).unwrap();
    assert_is_written(HANDSHAKE, json.as_bytes());
}

/// As a client in another language would: from the file alone, and byte by byte.
#[test]
fn the_handshake_vector_proves_both_sides() {
    let vector: HandshakeVector = serde_json::from_slice(&read(HANDSHAKE)).unwrap();
    let decode = |frame: &str| Message::decode(frame.as_bytes(), &Limits::default());
    let Ok(Message::Hello(hello)) = decode(&vector.frames.hello) else {
        panic!("the first frame is no hello");
    };
    let Ok(Message::Challenge(Challenge {
        peer_id: owner,
        nonce: owner_nonce,
        signature: owner_signature,
        ..
    })) = decode(&vector.frames.challenge)
    else {
        panic!("the second frame is no challenge");
    };
    let Ok(Message::Proof(Proof {
        signature: participant_signature,
    })) = decode(&vector.frames.proof)
    else {
        panic!("the third frame is no proof");
    };
    let owner_binding = HEXLOWER.decode(vector.owner.binding.as_bytes()).unwrap();
    let participant_binding = HEXLOWER
        .decode(vector.participant.binding.as_bytes())
        .unwrap();
    let transcript = Transcript {
        owner,
        participant: hello.peer_id,
        poll_id: hello.poll_id,
        device: hello.device,
        participant_nonce: hello.nonce,
        owner_nonce,
        owner_binding: &owner_binding,
        participant_binding: &participant_binding,
    };
    assert_eq!(transcript.verify(Side::Owner, &owner_signature), Ok(()));
    assert_eq!(
        transcript.verify(Side::Participant, &participant_signature),
        Ok(())
    );

    for (party, domain, signature) in [
        (&vector.owner, "hustings/2/owner", owner_signature),
        (
            &vector.participant,
            "hustings/2/participant",
            participant_signature,
        ),
    ] {
        let mut bytes = Vec::new();
        for field in [
            domain.as_bytes(),
            vector.owner.peer_id.as_bytes(),
            vector.participant.peer_id.as_bytes(),
            vector.poll_id.as_bytes(),
            vector.device.as_bytes(),
            vector.participant.nonce.as_bytes(),
            vector.owner.nonce.as_bytes(),
            &owner_binding,
            &participant_binding,
        ] {
            bytes.extend_from_slice(&u32::try_from(field.len()).unwrap().to_be_bytes());
            bytes.extend_from_slice(field);
        }
        assert_eq!(HEXLOWER.encode(&bytes), party.transcript, "{domain}");
        assert_eq!(party.signature, signature.to_string(), "{domain}");
        assert_eq!(
            party.signature_hex,
            HEXLOWER.encode(signature.as_bytes()),
            "{domain}"
        );
    }
}

//! The diagnostics: they tell what happened, and nothing that is somebody's own.

#![cfg(feature = "tracing")]
#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod common;

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::people::{
    ALICE, BOB, CAROL, Person, add_option, call_me, draft, make, numbered, option, vote,
};
use common::world::{World, option_of, vote_in};
use hustings_outbox::{Fault, StoreError};
use hustings_protocol::{
    Admission, Ballots, Command, InvitationIssue, InvitationRedemption, InvitationSecret, Outcome,
    PeerRemoval, PollDraft, Role,
};
use hustings_room::{Config, Connection};
use tracing_subscriber::fmt::MakeWriter;

/// Everything that is logged, as text.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// The texts that are in no log: what people chose, wrote and hold, and whole ids.
#[derive(Debug, Default)]
struct Secrets(Vec<String>);

impl Secrets {
    fn add(&mut self, secrets: impl IntoIterator<Item = impl ToString>) {
        self.0.extend(secrets.into_iter().map(|it| it.to_string()));
    }

    /// Their text, and bytes as the digits of a `Debug`.
    fn add_key(&mut self, who: Person) {
        let bytes = who.key().to_bytes();
        self.add([format!("{bytes:?}"), format!("{:?}", &bytes[..4])]);
        let digits = bytes.map(|byte| format!("{byte:02x}"));
        self.add([digits.concat()]);
    }

    fn are_not_in(&self, text: &str) {
        assert!(self.0.len() > 10, "{self:?}");
        for secret in &self.0 {
            assert!(!text.contains(secret.as_str()), "{secret} is in\n{text}");
        }
    }
}

/// Everything that is logged while this happens.
fn logged(run: impl FnOnce(&mut World, &mut Secrets)) -> (String, Secrets) {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .without_time()
        .with_writer(log.clone())
        .finish();
    let mut secrets = Secrets::default();
    for who in [ALICE, BOB, CAROL] {
        secrets.add([who.peer()]);
        secrets.add_key(who);
    }
    tracing::subscriber::with_default(subscriber, || run(&mut World::new(), &mut secrets));
    (log.text(), secrets)
}

/// In this order, each on a line of its own that has all these words; other lines may be between.
fn tells(text: &str, story: &[&[&str]]) {
    let mut lines = text.lines();
    for words in story {
        let is_it = |line: &str| words.iter().all(|word| line.contains(word));
        assert!(lines.any(is_it), "no {words:?} in its place in\n{text}");
    }
}

#[test]
fn a_rooms_life_is_told_without_what_is_in_it() {
    let (text, secrets) = logged(|world, secrets| {
        let alice = world.host();
        let room = alice.room.id();
        let bob = world.join(BOB, room);
        let command = vote_in(&bob.room, 1);
        world.get_done(&bob.room, command);
        let label = add_option(room.poll_id, option(7), "Elderflower");
        world.get_done(&alice.room, label);
        let name = call_me("Robert");
        world.get_done(&bob.room, name);
        let unknown = vote(room.poll_id, option(404));
        let outcome = world.get_done(&bob.room, unknown);
        assert!(matches!(outcome, Outcome::Rejected(_)));
        world.cut(BOB);
        world.wait_for(bob.room.connected()).unwrap();
        world.quiesce();
        secrets.add([1, 2].map(|number| option_of(&bob.room, number)));
        secrets.add([option(404), option(7)]);
        secrets.add(["Elderflower", "Robert", "Tea", "Coffee"]);
        secrets.add([room.poll_id]);
        world.wait_for(bob.room.close());
        world.wait_for(alice.room.close());
        world.wait_for(alice.hosting.close());
    });
    let (owner, participant) = ("role=\"owner\"", "role=\"participant\"");
    tells(
        &text,
        &[
            &["INFO", "created"],
            &["DEBUG", participant, "link{id=out0}", "dialled"],
            &["INFO", "link{id=in", "up"],
            &["INFO", participant, "link{id=out0}", "up"],
            &["INFO", participant, "connected"],
            &["DEBUG", participant, "committed", "durability=Strict"],
            &["DEBUG", participant, "state=\"sent\""],
            &["DEBUG", participant, "state=\"applied\""],
            &["DEBUG", owner, "state=\"applied\""],
            &[participant, "state=\"rejected\"", "code=\"unknown-option\""],
            &[
                "INFO",
                participant,
                "link{id=out0}",
                "reason=\"lost\"",
                "down",
            ],
            &[
                "INFO",
                participant,
                "disconnected",
                "reason=\"lost\"",
                "retry_at=",
            ],
            &["DEBUG", participant, "link{id=out1}", "dialled"],
            &["INFO", participant, "connected"],
            &["INFO", participant, "hung up"],
            &["INFO", participant, "closed"],
            &["INFO", owner, "closed"],
            &["INFO", "ended"],
        ],
    );
    let alice = &ALICE.peer().to_string()[..8];
    assert!(
        text.contains(&format!("owner={alice}")),
        "shortened:\n{text}"
    );
    secrets.are_not_in(&text);
}

#[test]
fn a_secret_poll_stays_secret_in_every_log() {
    let (text, secrets) = logged(|world, secrets| {
        let secret_of = |number| InvitationSecret::from_bytes([number; 16]);
        let draft: PollDraft = draft()
            .ballots(Ballots::Secret)
            .admission(Admission::Invited);
        let alice = world.host_draft(draft, Config::default());
        let poll_id = alice.room.id().poll_id;
        let invitations = [51, 52].map(secret_of);
        let issue = Command::IssueInvitations(InvitationIssue {
            poll_id,
            invitations: invitations.iter().map(|it| it.id(poll_id)).collect(),
            count: 0,
        });
        world.get_done(&alice.room, issue);
        let bob = world.join(BOB, alice.room.id());
        let carol = world.join(CAROL, alice.room.id());
        let redeem = |number| {
            Command::RedeemInvitation(InvitationRedemption {
                poll_id,
                secret: Some(secret_of(number)),
            })
        };
        world.get_done(&bob.room, redeem(51));
        let used = world.get_done(&carol.room, redeem(51));
        assert!(matches!(used, Outcome::Rejected(_)));
        world.get_done(&carol.room, redeem(52));
        for (who, number) in [(&bob, 0), (&carol, 2)] {
            let vote = vote_in(&who.room, number);
            let outcome = world.get_done(&who.room, vote);
            assert!(matches!(outcome, Outcome::Applied(_)));
        }
        secrets.add(invitations.each_ref());
        secrets.add(invitations.each_ref().map(|it| it.id(poll_id)));
        secrets.add([0, 1, 2].map(|number| option_of(&bob.room, number)));
        secrets.add(["Tea", "Coffee", "Water", &poll_id.to_string()]);

        // The owner is killed and comes back; Carol is removed, and is told so for good.
        let disk = world.crash_owner(alice);
        let alice = world.host_again(&disk, poll_id);
        world.wait_for(bob.room.connected()).unwrap();
        world.wait_for(carol.room.connected()).unwrap();
        world.get_done(&alice.room, make(poll_id, BOB, Role::Moderator));
        let removal = PeerRemoval {
            poll_id,
            peer_id: CAROL.peer(),
            keep_vote: false,
        };
        world.get_done(&bob.room, Command::RemovePeer(removal));
        world.run_for(Duration::from_secs(120));
        assert!(matches!(carol.room.connection(), Connection::Refused(_)));
        // Bob's last words come when the disk is full.
        let full = format!("no space left for {}", alice.room.id());
        disk.fail_next(Fault::Commit, StoreError::Full(full));
        let late = world.submit(&bob.room, call_me("Robert"));
        assert!(world.end_of(ALICE.as_owner()).is_err());
        world.quiesce();
        drop(late);
        secrets.add(["Robert"]);
    });
    let participant = "role=\"participant\"";
    tells(
        &text,
        &[
            &["INFO", "created"],
            &["DEBUG", "role=\"owner\"", "state=\"applied\""],
            &["code=\"invitation-used\"", "rejected"],
            &["INFO", "opened"],
            &["INFO", participant, "disconnected"],
            &["INFO", participant, "connected"],
            &["WARN", participant, "code=\"removed\"", "refused"],
            &["ERROR", "stopped", "storage is full: no space left for"],
        ],
    );
    secrets.are_not_in(&text);
}

#[test]
fn whoever_breaks_the_rules_is_told_of_by_a_code_alone() {
    let (text, secrets) = logged(|world, secrets| {
        let alice = world.host();
        let mut puppet = common::world::Puppet::new(world, BOB);
        world.wait_for(puppet.join(alice.room.id()));
        // Its first number is another.
        let poll_id = alice.room.id().poll_id;
        puppet.say(numbered(5, add_option(poll_id, option(7), "my own words")));
        world.quiesce();
        secrets.add(["my own words", "optionIds"]);
        secrets.add([option(7).to_string(), poll_id.to_string()]);
    });
    let bob = &BOB.peer().to_string()[..8];
    let peer = format!("peer={bob}");
    tells(
        &text,
        &[&[
            "WARN",
            "link{id=in",
            &peer,
            "code=\"",
            "fault of the other side",
        ]],
    );
    secrets.are_not_in(&text);
}

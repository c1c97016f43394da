//! The driver's diagnostics: they tell what happened, and nothing that is somebody's own.

#![cfg(feature = "tracing")]
#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod common;

use std::io;
use std::sync::{Arc, Mutex};

use common::people::{ALICE, BOB, add_option, option, vote};
use common::world::{World, option_of, vote_in};
use hustings_protocol::Outcome;
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

#[test]
fn a_rooms_life_is_told_without_what_is_in_it() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .without_time()
        .with_writer(log.clone())
        .finish();
    let (mut choices, mut peers) = (Vec::new(), Vec::new());
    tracing::subscriber::with_default(subscriber, || {
        let mut world = World::new();
        let alice = world.host();
        let room = alice.room.id();
        let bob = world.join(BOB, room);
        let command = vote_in(&bob.room, 1);
        world.get_done(&bob.room, command);
        let label = add_option(room.poll_id, option(7), "Elderflower");
        world.get_done(&alice.room, label);
        let unknown = vote(room.poll_id, option(404));
        let outcome = world.get_done(&bob.room, unknown);
        assert!(matches!(outcome, Outcome::Rejected(_)));
        world.cut(BOB);
        world.wait_for(bob.room.connected()).unwrap();
        world.quiesce();
        choices.extend([1, 2].map(|number| option_of(&bob.room, number).to_string()));
        choices.extend([option(404), option(7)].map(|option| option.to_string()));
        peers.extend([ALICE, BOB].map(|who| who.peer().to_string()));
        world.wait_for(bob.room.close());
        world.wait_for(alice.hosting.close());
    });
    let text = log.text();
    for told in [
        "dialled",
        "up",
        "connected",
        "committed",
        "applied",
        "rejected",
        "disconnected",
        "down",
        "closed",
        "link{id=in",
        "link{id=out",
    ] {
        assert!(text.contains(told), "no {told:?} in\n{text}");
    }
    assert!(
        text.contains(&peers[0][..8]),
        "whom it dials, shortened:\n{text}"
    );
    for secret in choices.iter().chain(&peers) {
        assert!(!text.contains(secret.as_str()), "{secret} is in\n{text}");
    }
    assert!(!text.contains("Elderflower"), "{text}");
}

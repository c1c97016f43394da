//! The traces of a whole run in a log, and on the way to the signalling server: what happened, and
//! nothing that is somebody's own.

use std::io;
use std::sync::{Arc, Mutex};

use futures::StreamExt;
use hustings_protocol::{
    Admission, Ballots, Command, InvitationIssue, InvitationRedemption, InvitationSecret, Outcome,
    PollDraft, UserProfile,
};
use hustings_room::Connection;
use hustings_room::driver::Room;
use hustings_transport_peerjs::Config;
use hustings_transport_peerjs::wire::RegistrationState;
use tokio::runtime::Builder;
use tracing::Level;
use tracing_subscriber::fmt::MakeWriter;

use crate::network::{Network, Way};
use crate::person::{Person, option_of, vote_in};
use crate::relayed::{relaying, server_at};
use crate::side::{alone, random, soon, stands};

/// Everything that is logged, as text.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

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

async fn done(room: &Room, command: Command) {
    let submitted = room.submit(command).await.unwrap();
    let outcome = soon("the outcome", submitted.outcome()).await.unwrap();
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
}

/// The words after `name` in what was said to the server.
fn all_of(name: &str, heard: &str) -> Vec<String> {
    let after = heard.split(name).skip(1);
    let words = after.filter_map(|rest| rest.split(['\\', ' ', '"']).next());
    words.map(str::to_owned).collect()
}

#[test]
fn a_secret_poll_is_in_no_log_and_not_on_the_way_to_the_server() {
    let name = "diagnostics::a_secret_poll_is_in_no_log_and_not_on_the_way_to_the_server";
    // Who has no subscriber decides for all threads that nobody wants an event, now and then.
    alone(name, || {
        // On one thread, so that all of it goes to this test's subscriber.
        let runtime = Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(a_secret_poll());
    });
}

async fn a_secret_poll() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(Level::TRACE)
        .with_ansi(false)
        .without_time()
        .with_writer(log.clone())
        .finish();
    let _here = tracing::subscriber::set_default(subscriber);

    let signalling = relaying().await;
    let network = Network::start(signalling.address).await;
    let server = server_at(signalling.turn.unwrap(), "udp");
    let config = Config {
        port: network.address.port(),
        ice_servers: vec![server.clone()],
        relay_only: true,
        ..signalling.config()
    };
    let (alice, bob) = (Person::new(), Person::new());
    let hosting = alice.host(&config);
    let draft = PollDraft::new("Shall the pier be mended?")
        .options(["Mend it", "Leave it"])
        .ballots(Ballots::Secret)
        .admission(Admission::Invited);
    let poll = hosting.room.create(draft).await.unwrap();
    let poll_id = poll.id().poll_id;
    let secret = InvitationSecret::from_bytes(random());
    let issue = Command::IssueInvitations(InvitationIssue {
        poll_id,
        invitations: vec![secret.id(poll_id)],
        count: 0,
    });
    done(&poll, issue).await;

    let voter = bob.enter(&config, poll.id()).await;
    soon("joining", voter.room.connected()).await.unwrap();
    let redeem = Command::RedeemInvitation(InvitationRedemption {
        poll_id,
        secret: Some(secret),
    });
    done(&voter.room, redeem.clone()).await;
    let again = voter.room.submit(redeem).await.unwrap();
    let again = soon("the outcome", again.outcome()).await.unwrap();
    assert!(matches!(again, Outcome::Rejected(_)), "{again:?}");
    done(&voter.room, vote_in(&voter.room, 0)).await;
    let name = "Bobby Tables".to_owned();
    done(&voter.room, Command::SetProfile(UserProfile { name })).await;

    // The socket breaks; then the owner ends, and comes back.
    network.to_broker(&bob.as_participant().to_string(), Way::Cut);
    stands(&voter.status, |it| it != &RegistrationState::Registered).await;
    network.mend();
    stands(&voter.status, |it| it == &RegistrationState::Registered).await;
    hosting.room.close().await;
    soon("noticing", async {
        let mut events = voter.room.events();
        while voter.room.connection() == Connection::Connected {
            events.next().await.unwrap();
        }
    })
    .await;
    let hosting = alice.host(&config);
    let poll = hosting.room.open(poll_id).await.unwrap();
    soon("coming back", voter.room.connected()).await.unwrap();

    let credential = server.credential.unwrap();
    let mut secrets = vec![
        alice.identity.peer_id().to_string(),
        bob.identity.peer_id().to_string(),
        alice.token.as_str().to_owned(),
        bob.token.as_str().to_owned(),
        credential.clone(),
        poll_id.to_string(),
    ];
    for person in [&alice, &bob] {
        let key = person.identity.signing_key().to_bytes();
        secrets.push(format!("{:?}", &key[..6]).replace(['[', ']'], ""));
        secrets.push(key.map(|byte| format!("{byte:02x}")).concat());
    }
    let of_the_room = [
        option_of(&poll, 0).to_string(),
        option_of(&poll, 1).to_string(),
        secret.to_string(),
        secret.id(poll_id).to_string(),
        "pier".to_owned(),
        "Mend it".to_owned(),
        "Leave it".to_owned(),
        "Bobby".to_owned(),
        "poll:".to_owned(),
        "optionIds".to_owned(),
        "auth:hello".to_owned(),
        poll_id.to_string(),
    ];
    voter.room.close().await;
    hosting.room.close().await;

    // To the server goes what it needs to bring the two together, and nothing of the room.
    let heard = network.heard();
    for needed in ["OFFER", "ANSWER", "typ relay", "a=fingerprint:"] {
        assert!(heard.contains(needed), "no {needed} in\n{heard}");
    }
    for secret in &of_the_room {
        assert!(!heard.contains(secret.as_str()), "{secret} is in\n{heard}");
    }

    let passwords = all_of("a=ice-pwd:", &heard);
    let fingerprints = all_of("a=fingerprint:sha-256 ", &heard);
    assert!(passwords.len() > 1 && fingerprints.len() > 1, "{heard}");
    secrets.extend(passwords.into_iter().chain(fingerprints));
    secrets.extend(of_the_room.iter().cloned());
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    // Of the libraries below, which have their own events, too.
    for secret in &of_the_room {
        assert!(!text.contains(secret.as_str()), "{secret} is in\n{text}");
    }
    assert!(!text.contains(&credential), "{credential} is in\n{text}");
    let ours = text.lines().filter(|line| line.contains("hustings"));
    let ours: String = ours.flat_map(|line| [line, "\n"]).collect();
    for secret in &secrets {
        assert!(!ours.contains(secret.as_str()), "{secret} is in\n{ours}");
    }
    for told in [
        "hustings_transport_peerjs::broker: listening",
        "hustings_transport_peerjs::broker::socket: registered",
        "hustings_transport_peerjs::native: opened",
        "relays peer=",
        "hustings_transport_peerjs::trace::texts: registered",
        "dial",
        "state=Connected",
        "created",
        "committed",
        "state=\"rejected\" code=",
        "disconnected",
        "closed",
    ] {
        assert!(ours.contains(told), "no {told:?} in\n{ours}");
    }
}

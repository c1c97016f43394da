//! The JavaScript client of `examples/js-client`, in its own page, with a poll of this library.

use std::time::Duration;

use hustings_outbox::MemoryStore;
use hustings_protocol::{
    Address, Ballots, Command, Outcome, PollDraft, Results, RoomId, SettingsUpdate,
};
use hustings_room::Config;
use hustings_room::driver::{Hosting, Room};
use serde_json::Value;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::page::{self, Frame, PEERJS, js};
use crate::people::{
    MINUTE, counted, host, identity, join, poll, tea, tea_or_coffee, transport, vote_for, votes,
};
use crate::side::{port, random, sleep, within};
use crate::wiretap::Wiretap;

const PAGE: &str = include_str!("../../../examples/js-client/index.html");
const CLIENT: &str = include_str!("../../../examples/js-client/client.js");
const PROFILE: &str = include_str!("../../../examples/js-client/profile.js");
const WIRE: &str = include_str!("../../../examples/js-client/wire.js");

/// Longer than the page takes to come back after a link was cut.
const PATIENCE: Duration = Duration::from_secs(60);

/// The address that the page has PeerJS from when it is not tested.
const PUBLISHED: &str = "https://unpkg.com/peerjs@1.5.5/dist/peerjs.min.js";

/// The module's address. The server of the tests has no files from outside of this crate.
async fn module(source: &str) -> String {
    let blob = "return URL.createObjectURL(new Blob([arg], { type: 'text/javascript', endings: 'transparent' }))";
    js(source, blob).await.as_string().unwrap()
}

/// The source with another address in place of this one, which has to be there.
fn with(source: &str, published: &str, tested: &str) -> String {
    assert!(source.contains(published), "{published} is not there");
    source.replace(published, tested)
}

/// Somebody in front of the page.
struct Visitor(Frame);

impl Visitor {
    async fn open() -> Self {
        Self::open_with("").await
    }

    /// Opens the page with this before its own scripts.
    async fn open_with(script: &str) -> Self {
        let wire = module(WIRE).await;
        let profile = module(&with(PROFILE, "./wire.js", &wire)).await;
        let client = with(CLIENT, "./wire.js", &wire);
        let client = module(&with(&client, "./profile.js", &profile)).await;
        let page = with(PAGE, "./client.js", &client);
        let page = with(&page, PUBLISHED, PEERJS);
        let page = page.replacen("<script", &format!("{script}<script"), 1);
        Self(Frame::of(&page).await)
    }

    /// Somebody new who has asked to join.
    async fn joins(poll: &Room) -> Self {
        let visitor = Self::open().await;
        visitor.join(poll.id(), &profile()).await;
        visitor
    }

    async fn join(&self, link: RoomId, profile: &str) {
        let port = port();
        let join = format!(
            "const {{ elements }} = document.getElementById('join')
             elements.link.value = 'Vote: https://example.org/#/{link}?utm_source=x.'
             elements.server.value = 'http://127.0.0.1:{port}/'
             elements.profile.value = '{profile}'
             document.getElementById('join').requestSubmit()"
        );
        self.0.run(&join).await;
    }

    /// Votes for the first option.
    async fn votes_for_tea(&self) {
        let vote = "document.querySelector('#options input').click()
                    document.getElementById('ballot').requestSubmit()";
        self.0.run(vote).await;
    }

    async fn text(&self, id: &str) -> String {
        let text = format!("return document.getElementById('{id}').textContent");
        self.0.run(&text).await.as_string().unwrap()
    }

    /// Resolves once the element says this.
    async fn sees(&self, id: &str, text: &str) {
        within(PATIENCE, &format!("showing {text:?} in #{id}"), async {
            while !self.text(id).await.contains(text) {
                sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
    }

    async fn sees_tea_with(&self, votes: u64) {
        self.sees("options", &format!("Tea {votes}")).await;
    }
}

/// In the page before everything else: keeps all that comes to it by channels and by sockets.
const LOG: &str = "<script>
    window.heard = { channels: [], sockets: [] }
    const bytes = data => typeof data === 'string' ? data : `bytes ${[...new Uint8Array(data)].join()}`
    const log = (target, into) => target.addEventListener('message', ({ data }) => into.push(bytes(data)))
    window.RTCPeerConnection = class extends RTCPeerConnection {
        createDataChannel(...args) {
            const channel = super.createDataChannel(...args)
            log(channel, heard.channels)
            return channel
        }
        constructor(...args) {
            super(...args)
            this.addEventListener('datachannel', ({ channel }) => log(channel, heard.channels))
        }
    }
    window.WebSocket = class extends WebSocket {
        constructor(...args) {
            super(...args)
            log(this, heard.sockets)
        }
    }
</script>";

impl Visitor {
    /// Somebody new who has asked to join, and keeps everything that comes to the page.
    async fn logs(poll: &Room) -> Self {
        let visitor = Self::open_with(LOG).await;
        visitor.join(poll.id(), &profile()).await;
        visitor.sees("state", "Connected.").await;
        visitor
    }

    async fn me(&self) -> String {
        // Of the page's own variables the address on the server is the one that can be had.
        let find = "const db = await new Promise(resolve => {
                const { value } = document.getElementById('join').elements.profile
                indexedDB.open(`hustings-js-client/${value}`).onsuccess = ({ target }) => resolve(target.result)
            })
            const { peerId } = await new Promise(resolve => {
                const asked = db.transaction('kept').objectStore('kept').get('identity')
                asked.onsuccess = () => resolve(asked.result)
            })
            db.close()
            return peerId";
        self.0.run(find).await.as_string().unwrap()
    }

    /// The messages that the channel has brought. The poll is small, so none is in pieces.
    async fn heard(&self) -> Vec<Value> {
        let texts = self.0.run("return JSON.stringify(heard.channels)").await;
        let texts: Vec<String> = serde_json::from_str(&texts.as_string().unwrap()).unwrap();
        let messages = |text: String| match serde_json::from_str(&text) {
            Ok(Value::Array(messages)) => messages,
            Ok(message) => vec![message],
            Err(_) => panic!("no message: {text}"),
        };
        texts.into_iter().flat_map(messages).collect()
    }

    /// Everything that the signalling server has sent.
    async fn signalled(&self) -> String {
        let texts = self.0.run("return heard.sockets.join('\\n')").await;
        texts.as_string().unwrap()
    }
}

/// Every place where the value is one of these texts, as a key or by itself, in a path such as
/// `payload.options[].optionId`.
fn places(value: &Value, texts: &[String], path: &str, found: &mut Vec<String>) {
    match value {
        Value::String(text) if texts.contains(text) => found.push(path.to_owned()),
        Value::Array(values) => {
            for value in values {
                places(value, texts, &format!("{path}[]"), found);
            }
        }
        Value::Object(fields) => {
            for (key, value) in fields {
                if texts.contains(key) {
                    found.push(format!("{path}.<key>"));
                }
                places(value, texts, &format!("{path}.{key}"), found);
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Checks that nobody can read from a message what somebody else chose: an option is named in the
/// list of options, in what this person chose, and nowhere else; and each number of votes is in the
/// list of those of all options.
fn check_told(message: &Value, me: &str, options: &[String]) {
    let own = format!(".payload.members.{me}.choices[]");
    let mut found = Vec::new();
    places(message, options, "", &mut found);
    let mut updates = vec![message];
    updates.extend(
        message["payload"]["updates"]
            .as_array()
            .into_iter()
            .flatten(),
    );
    let votes = updates
        .iter()
        .filter(|update| update["type"] == "poll:vote");
    for vote in votes {
        assert_eq!(vote["author"], me, "somebody else's vote: {message}");
    }
    let allowed = [
        ".payload.options[].optionId",
        ".ballot[]",
        ".payload.updates[].payload.optionIds[]",
        ".payload.optionIds[]",
        own.as_str(),
    ];
    for place in found {
        assert!(allowed.contains(&place.as_str()), "at {place}: {message}");
    }
    let members = message["payload"]["members"].as_object();
    for (peer, member) in members.into_iter().flatten() {
        assert!(
            peer == me || member.get("choices").is_none(),
            "{peer}: {message}"
        );
    }
}

/// True if a message has the votes of options, whoever gave them.
fn has_tally(message: &Value) -> bool {
    match message {
        Value::Array(values) => values.iter().any(has_tally),
        Value::Object(fields) => fields.contains_key("tally") || fields.values().any(has_tally),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

async fn votes_in(room: &Room, option: usize) {
    let submitted = room.submit(vote_for(room, option)).await.unwrap();
    let outcome = within(MINUTE, "the outcome", submitted.outcome()).await;
    assert!(matches!(outcome, Ok(Outcome::Applied(_))), "{outcome:?}");
}

/// A secret poll, somebody whose page logs what it gets, and two others, of whom one has voted
/// before that, one votes after it.
async fn secret(draft: PollDraft) -> (Hosting<MemoryStore>, Room, Visitor, [Room; 2]) {
    let draft = draft.ballots(Ballots::Secret);
    let (hosting, poll) = poll_with(Config::default(), draft).await;
    let others = [join(&poll).await, join(&poll).await];
    votes_in(&others[0], 1).await;
    let visitor = Visitor::logs(&poll).await;
    visitor.sees("turnout", "1 voted.").await;
    votes_in(&others[1], 0).await;
    votes_in(&others[1], 1).await;
    votes_in(&others[1], 0).await;
    visitor.sees("turnout", "2 voted.").await;
    (hosting, poll, visitor, others)
}

/// Checks all that the page has got: it has the names of the others, and nothing of their choices.
async fn check_log(poll: &Room, visitor: &Visitor, others: &[Room]) {
    let options = poll.poll().unwrap();
    let options = options.options().iter();
    let options: Vec<_> = options.map(|option| option.option_id.to_string()).collect();
    let (me, heard) = (visitor.me().await, visitor.heard().await);
    for message in &heard {
        check_told(message, &me, &options);
    }
    let all = serde_json::to_string(&heard).unwrap();
    for other in others {
        let id = other.peer().to_string();
        assert!(all.contains(&id), "the log is of this poll");
    }
    let signalled = visitor.signalled().await;
    assert!(!signalled.is_empty());
    for option in &options {
        assert!(!signalled.contains(option), "{signalled}");
    }
}

#[wasm_bindgen_test]
async fn in_a_secret_poll_no_byte_that_it_gets_tells_what_somebody_else_chose() {
    let (hosting, poll, visitor, others) = secret(tea_or_coffee()).await;
    visitor.sees("who-sees", "Only the host’s device").await;
    visitor.sees("options", "Coffee 1").await;
    visitor.sees_tea_with(1).await;
    visitor.votes_for_tea().await;
    visitor.sees("commands", "Counted").await;
    visitor.sees_tea_with(2).await;
    visitor.sees("turnout", "3 voted.").await;
    votes_in(&others[0], 0).await;
    visitor.sees_tea_with(3).await;
    visitor.sees("options", "Coffee 0").await;
    check_log(&poll, &visitor, &others).await;
    hosting.close().await;
}

#[wasm_bindgen_test]
async fn among_many_voters_it_gets_their_number() {
    let draft = tea_or_coffee().voters_named_up_to(1);
    let (hosting, poll, visitor, others) = secret(draft).await;
    visitor.votes_for_tea().await;
    visitor.sees("commands", "Counted").await;
    visitor.sees("turnout", "3 voted.").await;
    votes_in(&others[0], 0).await;
    visitor.sees_tea_with(3).await;
    visitor.sees("turnout", "3 voted.").await;
    let heard = visitor.heard().await;
    let named = heard.iter().find(|it| !it["payload"]["voted"].is_null());
    assert_eq!(named, None, "by a tally");
    assert_eq!(poll.poll().unwrap().voters(), 3);
    hosting.close().await;
}

#[wasm_bindgen_test]
async fn no_result_is_in_what_it_gets_before_it_has_voted() {
    let (hosting, poll, visitor, others) =
        secret(tea_or_coffee().results(Results::AfterVote)).await;
    visitor.sees("turnout", "once you have voted").await;
    assert_eq!(visitor.heard().await.iter().find(|it| has_tally(it)), None);
    visitor.votes_for_tea().await;
    visitor.sees("commands", "Counted").await;
    visitor.sees_tea_with(2).await;
    visitor.sees("options", "Coffee 1").await;
    assert!(visitor.heard().await.iter().any(has_tally));
    check_log(&poll, &visitor, &others).await;
    hosting.close().await;
}

#[wasm_bindgen_test]
async fn no_result_is_in_what_it_gets_before_the_poll_is_closed() {
    let draft = tea_or_coffee().results(Results::AfterClose);
    let (hosting, poll, visitor, others) = secret(draft).await;
    visitor.votes_for_tea().await;
    visitor.sees("commands", "Counted").await;
    visitor
        .sees("turnout", "3 voted. Results are shown when")
        .await;
    votes_in(&others[0], 0).await;
    assert_eq!(visitor.heard().await.iter().find(|it| has_tally(it)), None);
    let close = SettingsUpdate::new(poll.id().poll_id).closed(true);
    poll.submit(Command::UpdateSettings(close)).await.unwrap();
    visitor.sees_tea_with(3).await;
    check_log(&poll, &visitor, &others).await;
    hosting.close().await;
}

/// A profile that nobody has had before.
fn profile() -> String {
    u64::from_be_bytes(random()).to_string()
}

/// The script by which a copy of a profile comes to the server, as far as that can see.
fn copy_of(profile: &str) -> String {
    let port = port();
    format!(
        "const db = await new Promise(resolve => {{
             indexedDB.open('hustings-js-client/{profile}').onsuccess = ({{ target }}) => resolve(target.result)
         }})
         const {{ peerId, device, token }} = await new Promise(resolve => {{
             const asked = db.transaction('kept').objectStore('kept').get('identity')
             asked.onsuccess = () => resolve(asked.result)
         }})
         db.close()
         const query = `key=peerjs&id=${{peerId}}-${{device}}&token=${{token}}&version=1.5.5`
         window.copy = new WebSocket(`ws://127.0.0.1:{port}/peerjs?${{query}}`)
         window.copy.onclose = ({{ code }}) => (window.code = code)
         await new Promise(resolve => (window.copy.onopen = resolve))"
    )
}

/// A poll of somebody with this configuration.
async fn poll_with(config: Config, draft: PollDraft) -> (Hosting<MemoryStore>, Room) {
    let identity = identity();
    let transport = transport(Address::Owner(identity.peer_id()));
    host(&identity, transport, config, draft).await
}

#[wasm_bindgen_test]
async fn it_joins_votes_and_sees_what_others_vote() {
    // More than one message of the channel.
    let mut draft = tea_or_coffee();
    draft
        .options
        .extend((0..300).map(|n| format!("{n} {}", "ä".repeat(150))));
    let (hosting, poll) = poll_with(Config::default(), draft).await;
    let visitor = Visitor::joins(&poll).await;
    visitor.sees("state", "Connected.").await;
    visitor.sees("title", "Tea or coffee?").await;
    visitor
        .sees("options", &format!("299 {}", "ä".repeat(150)))
        .await;
    visitor.sees_tea_with(0).await;

    visitor.votes_for_tea().await;
    visitor
        .sees("commands", "Counted, as change 1 of the poll")
        .await;
    visitor.sees_tea_with(1).await;
    assert_eq!(votes(&poll), 1);

    let other = join(&poll).await;
    let submitted = other.submit(tea(&other)).await.unwrap();
    let outcome = within(MINUTE, "the outcome", submitted.outcome()).await;
    assert!(matches!(outcome, Ok(Outcome::Applied(_))), "{outcome:?}");
    visitor.sees_tea_with(2).await;
    other.close().await;
    hosting.close().await;
}

#[wasm_bindgen_test]
async fn it_hears_of_the_open_votes_of_many_together() {
    let config = Config {
        tell_each_vote_up_to: 0,
        ..Config::default()
    };
    let draft = tea_or_coffee().ballots(Ballots::Open);
    let (hosting, poll) = poll_with(config, draft).await;
    let visitor = Visitor::logs(&poll).await;
    visitor.sees("state", "Connected.").await;
    visitor.votes_for_tea().await;
    visitor.sees("commands", "Counted").await;
    let others = [join(&poll).await, join(&poll).await];
    for other in &others {
        votes_in(other, 0).await;
    }
    visitor.sees_tea_with(3).await;
    votes_in(&others[1], 1).await;
    visitor.sees_tea_with(2).await;
    visitor.sees("options", "Coffee 1").await;
    let heard = visitor.heard().await;
    let is_vote = |it: &&Value| it["type"] == "poll:vote";
    assert_eq!(heard.iter().find(is_vote), None, "by itself");
    for other in others {
        other.close().await;
    }
    hosting.close().await;
}

#[wasm_bindgen_test]
async fn its_vote_whose_ack_was_lost_is_sent_again_and_counted_once() {
    page::spy().await;
    let owner = identity();
    let transport = Wiretap::new(transport(Address::Owner(owner.peer_id())));
    let heard = transport.heard();
    let (hosting, poll) = host(&owner, transport, Config::default(), tea_or_coffee()).await;
    let visitor = Visitor::joins(&poll).await;
    visitor.sees("state", "Connected.").await;

    // The owner gets the vote and applies it, and no word of it comes back.
    page::dumb(true).await;
    visitor.votes_for_tea().await;
    counted(&poll, 1).await;
    visitor.sees("commands", "Pending").await;
    page::cut_accepted().await;
    page::dumb(false).await;

    visitor
        .sees("commands", "Counted, as change 1 of the poll")
        .await;
    visitor.sees_tea_with(1).await;
    within(PATIENCE, "hearing the vote again", async {
        while heard.of_type("poll:vote").len() < 2 {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    let sent = heard.of_type("poll:vote");
    assert_eq!(sent[0], sent[1], "the same bytes");
    assert_eq!((votes(&poll), poll.revision().unwrap().get()), (1, 1));
    hosting.close().await;
}

#[wasm_bindgen_test]
async fn its_pending_vote_outlives_the_page() {
    page::spy().await;
    let (hosting, poll) = poll().await;
    let profile = profile();
    let visitor = Visitor::open().await;
    visitor.join(poll.id(), &profile).await;
    visitor.sees("state", "Connected.").await;
    // Everything is lost, as if the vote had never left.
    page::dumb(true).await;
    visitor.votes_for_tea().await;
    visitor.sees("commands", "Pending").await;
    drop(visitor);
    page::dumb(false).await;

    let visitor = Visitor::open().await;
    visitor.join(poll.id(), &profile).await;
    visitor
        .sees("commands", "Counted, as change 1 of the poll")
        .await;
    visitor.sees_tea_with(1).await;
    assert_eq!(votes(&poll), 1);
    hosting.close().await;
}

#[wasm_bindgen_test]
async fn it_asks_for_what_it_missed() {
    page::spy().await;
    let (hosting, poll) = poll().await;
    let visitor = Visitor::joins(&poll).await;
    visitor.sees("state", "Connected.").await;
    page::dumb(true).await;
    poll.submit(tea(&poll)).await.unwrap();
    counted(&poll, 1).await;
    page::dumb(false).await;
    let other = join(&poll).await;
    // The first that it hears of, and a change too far.
    other.submit(vote_for(&other, 1)).await.unwrap();
    visitor.sees("options", "Coffee 1").await;
    visitor.sees_tea_with(1).await;
    other.close().await;
    hosting.close().await;
}

#[wasm_bindgen_test]
async fn it_answers_pings() {
    let config = Config {
        ping_after: Duration::from_millis(200),
        pong_timeout: Duration::from_millis(200),
        ..Config::default()
    };
    let (hosting, poll) = poll_with(config, tea_or_coffee()).await;
    let visitor = Visitor::joins(&poll).await;
    visitor.sees("state", "Connected.").await;
    // Three times as long as the owner waits for a sign of life.
    for _ in 0..20 {
        sleep(Duration::from_millis(100)).await;
        assert_eq!(visitor.text("state").await, "Connected.");
    }
    hosting.close().await;
}

#[wasm_bindgen_test]
async fn it_leaves_its_address_to_a_copy_until_it_is_told_to_have_it() {
    let (hosting, poll) = poll().await;
    let (visitor, profile) = (Visitor::open().await, profile());
    visitor.join(poll.id(), &profile).await;
    visitor.sees("state", "Connected.").await;
    let copy = copy_of(&profile);
    visitor.0.run(&copy).await;
    visitor.0.run(HELD_BACK).await;
    // Its link stays, and when that ends it does not take the address back.
    poll.close().await;
    visitor
        .sees("state", "this profile is in use elsewhere")
        .await;
    let code = "return String(window.code)";
    let told = async || visitor.0.run(code).await.as_string().unwrap();
    assert_eq!(told().await, "undefined", "the copy has the address");
    // Once a minute it asks whether the address is free, which takes it from nobody.
    within(PATIENCE, "asking and resting again", async {
        visitor.0.run(A_MINUTE_LATER).await;
        while !visitor.0.run(RESTS).await.is_truthy() {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    visitor
        .sees("state", "this profile is in use elsewhere")
        .await;
    assert_eq!(told().await, "undefined", "the copy has the address");
    let click = "document.getElementById('reconnect').click()";
    visitor.0.run(click).await;
    within(PATIENCE, "taking the address back", async {
        while told().await != "4001" {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    hosting.close().await;
}

/// Timers of a minute are run by the test.
const HELD_BACK: &str = "
    const setTimer = window.setTimeout
    window.minutes = []
    window.setTimeout = (then, ms, ...rest) =>
        ms === 60000 ? minutes.push(then) : setTimer(then, ms, ...rest)";

/// The one that is set has to be there.
const A_MINUTE_LATER: &str = "minutes.shift()()";

/// True if the next minute has begun.
const RESTS: &str = "return minutes.length === 1";

#[wasm_bindgen_test]
async fn it_is_back_when_the_copy_of_its_profile_is_gone() {
    let (hosting, poll) = poll().await;
    let (visitor, profile) = (Visitor::open().await, profile());
    visitor.join(poll.id(), &profile).await;
    visitor.sees("state", "Connected.").await;
    visitor.0.run(&copy_of(&profile)).await;
    visitor.0.run(HELD_BACK).await;
    poll.close().await;
    visitor
        .sees("state", "this profile is in use elsewhere")
        .await;
    let poll = hosting.open(poll.id().poll_id).await.unwrap();
    visitor.0.run("window.copy.close()").await;
    // The server may be slower to notice.
    within(PATIENCE, "coming back", async {
        while !visitor.text("state").await.contains("Connected.") {
            let later = "minutes.shift()?.()";
            visitor.0.run(later).await;
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    poll.close().await;
    hosting.close().await;
}

#[wasm_bindgen_test]
async fn it_reads_that_the_owner_has_no_room_and_joins_when_there_is_some() {
    let config = Config {
        max_links: 1,
        ..Config::default()
    };
    let (hosting, poll) = poll_with(config, tea_or_coffee()).await;
    let other = join(&poll).await;
    assert!(!poll.is_full());
    let visitor = Visitor::joins(&poll).await;
    visitor.sees("state", "the owner has no room").await;
    assert!(poll.is_full(), "and its host knows");
    other.close().await;
    visitor.sees("state", "Connected.").await;
    assert!(!poll.is_full());
    hosting.close().await;
}

#[wasm_bindgen_test]
async fn it_refuses_whoever_is_not_the_owner_and_tells_them_nothing() {
    let (owner, thief) = (identity(), identity());
    // The thief has the owner's address, and a poll of its own key.
    let transport = Wiretap::new(transport(Address::Owner(owner.peer_id())));
    let heard = transport.heard();
    let (hosting, poll) = host(&thief, transport, Config::default(), tea_or_coffee()).await;
    let mut link = poll.id();
    link.owner = owner.peer_id();

    let visitor = Visitor::open().await;
    visitor.join(link, &profile()).await;
    let offline = "whoever answers at the owner's address could not prove to be the owner; \
                   nothing was sent to them";
    visitor.sees("state", offline).await;
    assert!(heard.types().iter().all(|kind| kind == "auth:hello"));
    hosting.close().await;
}

#[wasm_bindgen_test]
async fn it_reads_several_messages_in_a_frame() {
    let wire = module(WIRE).await;
    let vector = include_str!("../../../protocol/vectors/batch.json");
    let check = format!(
        "const {{ Link }} = await import('{wire}');
         const fresh = () => {{
             const hears = {{}};
             const peerConnection = {{ addEventListener() {{}} }};
             const on = (what, hear) => (hears[what] = hear);
             return [new Link({{ on, peerConnection, open: true, close() {{}} }}), hears];
         }};
         const [link, hears] = fresh();
         hears.data(arg);
         hears.data('{{\"type\":\"ping\",\"payload\":{{}}}}');
         const types = [];
         for (let i = 0; i < 4; i++) types.push((await link.next()).type);
         for (const frame of ['[]', `[${{Array(257).fill('{{}}')}}]`, '[[]]', '[1]']) {{
             const [link, hears] = fresh();
             hears.data(frame);
             types.push(await link.next().then(() => 'read', error => error.constructor.name));
         }}
         return types.join()"
    );
    let types = js(vector, &check).await.as_string().unwrap();
    let read = "poll:vote,ack,peer:discovery,ping";
    assert_eq!(types, format!("{read},Offline,Offline,Offline,Offline"));
}

#[wasm_bindgen_test]
async fn its_signed_bytes_are_those_of_the_vectors() {
    let wire = module(WIRE).await;
    let vector = include_str!("../../../protocol/vectors/handshake.json");
    let check = format!(
        "const {{ transcript, verify }} = await import('{wire}');
         const bytes = hex => Uint8Array.from(hex.match(/../g), byte => parseInt(byte, 16));
         const {{ owner, participant, pollId, device }} = JSON.parse(arg);
         const fields = {{
             owner: owner.peerId, participant: participant.peerId, pollId, device,
             nonces: {{ owner: owner.nonce, participant: participant.nonce }},
             bindings: {{ owner: bytes(owner.binding), participant: bytes(participant.binding) }},
         }};
         const results = [];
         for (const [side, {{ peerId, signature, ...expected }}] of Object.entries({{ owner, participant }})) {{
             const signed = transcript(side, fields);
             results.push(signed.join() === bytes(expected.transcript).join());
             results.push(await verify(peerId, signature, signed));
             results.push(!await verify(peerId, signature, signed.fill(0, -1)));
             // The neutral point as key and signature: true of every message where it is taken.
             results.push(!await verify('aeaa' + 'a'.repeat(48), 'aeaa' + 'a'.repeat(99), signed));
         }}
         return results.join()"
    );
    let results = js(vector, &check).await.as_string().unwrap();
    assert_eq!(results, ["true"; 8].join(","));
}

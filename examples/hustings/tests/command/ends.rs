//! Ends of a host, and what survives them: asked for, and by SIGKILL, under load.

use std::time::Duration;

use rustix::process::Signal;

use crate::crowd::{Crowd, Whims, number};
use crate::scene::{Host, Scene};

/// The number of kills, unless `HUSTINGS_KILLS` says another.
const FEW: u64 = 3;

/// The people who vote all the time.
const VOTERS: usize = 4;

/// The same in a room that is full.
const MANY: usize = 50;

/// Those of whom a host is killed notice it soon.
const IMPATIENT: Duration = Duration::from_millis(500);

/// Those to whom a host says goodbye need not guess, and on a busy machine many would guess
/// wrong.
const PATIENT: Duration = Duration::from_secs(5);

const OPEN: [&str; 8] = [
    "--title",
    "Tea or coffee?",
    "--option",
    "Tea",
    "--option",
    "Coffee",
    "--ballots",
    "open",
];

/// The results of the only poll of the owner, who is away.
async fn results(scene: &Scene) -> serde_json::Value {
    let folder = scene.path("owner");
    let results = ["results", folder.to_str().unwrap(), "--json"];
    scene.run("nobody", results).await.json()
}

/// Asserts that every acknowledged vote is there, once, and nothing else.
async fn assert_all_there(scene: &Scene, host: Host, crowd: Crowd, link: &str) -> u64 {
    let voters = crowd.len();
    let acks = crowd.finish().await;
    host.end().await;
    let results = results(scene).await;
    assert_eq!(results["link"], link);
    let last = results["revision"].as_u64().unwrap();
    // Each has its own revision, and there is none that nobody was told of.
    let told: Vec<u64> = acks.iter().copied().collect();
    assert_eq!(told, (1..=last).collect::<Vec<_>>());
    assert_eq!(results["voters"].as_u64(), Some(voters as u64));
    last
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_vote_survives_kills_once() {
    let kills = number("HUSTINGS_KILLS", FEW);
    let mut whims = Whims::new(number("HUSTINGS_SEED", 1));
    let scene = Scene::begin().await;
    let mut host = scene.host("owner", &OPEN).await;
    let link = host.link();
    let crowd = Crowd::join(&scene, &link, VOTERS, IMPATIENT).await;
    for _ in 0..kills {
        crowd.acknowledged(whims.below(40)).await;
        // More of them are on their way.
        host.running.signal(Signal::KILL);
        assert_eq!(host.running.ended().await, None);
        host = scene.host("owner", &OPEN).await;
    }
    let votes = assert_all_there(&scene, host, crowd, &link).await;
    println!("{votes} votes, each acknowledged and there once, after {kills} kills");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn told_to_end_it_loses_nothing_that_was_on_its_way() {
    let scene = Scene::begin().await;
    let mut host = scene.host("owner", &OPEN).await;
    let link = host.link();
    let crowd = Crowd::join(&scene, &link, MANY, PATIENT).await;
    for _ in 0..3 {
        crowd.acknowledged(MANY as u64).await;
        host.running.signal(Signal::TERM);
        assert_eq!(host.running.ended().await, Some(0));
        // What anybody was told is there, now that nobody is there who could mend it.
        let told = crowd.told();
        let last = results(&scene).await["revision"].as_u64();
        assert!(told.last().copied() <= last, "{told:?} of {last:?}");
        // Whoever was not told is told by the next one.
        host = scene.host("owner", &OPEN).await;
    }
    let votes = assert_all_there(&scene, host, crowd, &link).await;
    println!("{votes} votes of {MANY} people, each acknowledged and there once");
}

#[tokio::test]
async fn a_hangup_opens_the_log_anew_and_reads_new_polls() {
    let scene = Scene::begin().await;
    let log = scene.path("hustings.log");
    let status = scene.path("status.json");
    let (log_flag, status_flag) = (log.to_str().unwrap(), status.to_str().unwrap());
    let args = ["--log", log_flag, "--status", status_flag];
    let mut host = scene.host("owner", &args).await;
    assert!(host.polls.is_empty());
    std::fs::rename(&log, scene.path("hustings.log.1")).unwrap();
    let polls = scene.path("owner/polls");
    std::fs::write(polls.join("wrong.json"), "{\"titel\": 1}").unwrap();
    let lunch = polls.join("lunch.json");
    std::fs::write(
        &lunch,
        r#"{"title": "Lunch?", "options": ["Pizza", "Ramen"]}"#,
    )
    .unwrap();
    host.running.signal(Signal::HUP);
    let poll = host.running.json().await;
    assert_eq!(
        (&poll["title"], &poll["file"]),
        (&"Lunch?".into(), &"lunch.json".into())
    );
    let link = poll["link"].as_str().unwrap();
    scene
        .run("ann", ["vote", link, "--option", "pizza"])
        .await
        .is_done();
    let written = std::fs::read_to_string(&log).unwrap();
    assert!(written.contains("hosted"), "{written}");

    // The status has both, and closes the poll when its file says so.
    let state = || -> serde_json::Value {
        let text = std::fs::read_to_string(&status).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    crate::scene::until("the vote in the status", || {
        state()["polls"][0]["voters"] == 1
    })
    .await;
    assert_eq!(state()["server"]["registration"], "registered");
    let wrong = &state()["polls"][1];
    assert_eq!(
        (&wrong["file"], &wrong["state"]),
        (&"wrong.json".into(), &"failed".into())
    );
    assert!(
        wrong["fault"].as_str().unwrap().contains("titel"),
        "{wrong}"
    );
    let closed = r#"{"title": "Lunch!", "options": ["Pizza", "Ramen"], "closed": true}"#;
    std::fs::write(&lunch, closed).unwrap();
    host.running.signal(Signal::HUP);
    crate::scene::until("the end of the poll", || {
        state()["polls"][0]["closed"] == true
    })
    .await;
    assert_eq!(state()["polls"][0]["title"], "Lunch!");
    scene
        .run("ann", ["vote", link, "--option", "ramen"])
        .await
        .failed(4, "closed");
    host.end().await;
    assert!(!status.exists(), "nothing runs");
}

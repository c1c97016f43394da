//! A poll that somebody watches.

use rustix::process::Signal;

use crate::scene::{Running, Scene};

async fn sees(watch: &mut Running, connection: &str, votes: u64) {
    let what = format!("{connection} with {votes}");
    let is_it = |line: &serde_json::Value| {
        line["connection"] == connection
            && line["poll"]["options"][0]["votes"] == votes
            && line["pending"].as_array().unwrap().is_empty()
    };
    watch.json_until(&what, is_it).await;
}

#[tokio::test]
async fn whoever_watches_sees_votes_and_the_owner_go_and_come() {
    let scene = Scene::begin().await;
    let host = scene.tea().await;
    let link = host.link();
    let mut watch = scene.start("ann", ["join", &link, "--json"]);
    sees(&mut watch, "connected", 0).await;
    let mut lines = scene.start("cat", ["join", &link, "--until-closed"]);
    scene
        .run("ben", ["vote", &link, "--option", "tea"])
        .await
        .is_done();
    sees(&mut watch, "connected", 1).await;
    host.end().await;
    sees(&mut watch, "away", 1).await;

    // Ben is impatient. His vote waits in his folder, and he sees that it does.
    let queue = [
        "vote",
        &link,
        "--option",
        "coffee",
        "--queue",
        "--timeout",
        "2",
    ];
    scene
        .run("ben", queue)
        .await
        .failed(7, "stored in the data folder");
    let mut ben = scene.start("ben", ["join", &link, "--json"]);
    ben.json_until("the pending vote", |line| {
        line["pending"][0]["kind"] == "poll:vote"
    })
    .await;
    let host = scene.tea().await;
    let is_counted = |line: &serde_json::Value| {
        line["pending"].as_array().unwrap().is_empty() && line["poll"]["options"][1]["votes"] == 1
    };
    ben.json_until("the vote counts", is_counted).await;
    sees(&mut watch, "connected", 0).await;

    for watch in [&mut watch, &mut ben] {
        watch.signal(Signal::INT);
        assert_eq!(watch.ended().await, Some(0));
    }
    let file = scene.path("owner/polls/tea-or-coffee.json");
    let closed = r#"{"title": "Tea or coffee?", "options": ["Tea", "Coffee"], "closed": true}"#;
    std::fs::write(file, closed).unwrap();
    host.running.signal(Signal::HUP);
    assert_eq!(lines.ended().await, Some(0));
    let mut said = Vec::new();
    while let Some(line) = lines.next().await {
        said.push(line);
    }
    for wanted in [
        "Tea or coffee?",
        "The owner is away",
        "1 person has voted. The poll is closed.",
    ] {
        assert!(
            said.iter().any(|line| line.contains(wanted)),
            "{wanted}: {said:#?}"
        );
    }
    // Somewhere else than on a terminal nothing moves.
    assert!(
        said.iter().all(|line| !line.contains('\u{1b}')),
        "{said:#?}"
    );
    host.end().await;
}

//! Secrets, none of which may be in a log.

use std::fs;

use hustings_outbox::{Identity, RedbStore};

use crate::scene::Scene;

#[tokio::test]
async fn nothing_secret_is_logged_whatever_is_asked_for() {
    let scene = Scene::begin().await;
    let flags = [
        "--title",
        "Zebra?",
        "--option",
        "Quagga",
        "--option",
        "Okapi",
        "--invitations",
        "1",
    ];
    let (own, ann) = (scene.path("own.log"), scene.path("ann.log"));
    let to = ["--log", own.to_str().unwrap(), "--log-filter", "trace"];
    let host = scene.host("owner", &[&flags[..], &to].concat()).await;
    let invitation = fs::read_to_string(scene.path("owner/polls/zebra.invitations")).unwrap();
    let log = ann.to_str().unwrap();
    let vote = [
        "vote",
        "-",
        "--option",
        "Quagga",
        "--log",
        log,
        "--log-filter",
        "trace",
    ];
    scene
        .run_with("ann", vote, &[], &invitation)
        .await
        .is_done();
    let results = scene
        .run("ann", ["results", &host.link(), "--json"])
        .await
        .json();
    host.end().await;

    let mut secrets = vec![
        (
            "the invitation",
            invitation.trim().rsplit('/').next().unwrap().to_owned(),
        ),
        (
            "the choice",
            results["options"][0]["id"].as_str().unwrap().to_owned(),
        ),
        ("the label of the choice", "Quagga".to_owned()),
        ("the question", "Zebra".to_owned()),
    ];
    for who in ["owner", "ann"] {
        let store = RedbStore::open(scene.path(who).join("hustings.redb")).unwrap();
        let identity = Identity::load_or_create(&store, 0).await.unwrap();
        secrets.push(("a token", identity.token().to_owned()));
        secrets.push(("a whole id", identity.peer_id().to_string()));
    }
    for log in [own, ann] {
        let text = fs::read_to_string(&log).unwrap();
        assert!(
            text.contains("TRACE") && text.contains("DEBUG"),
            "it says a lot"
        );
        for (what, secret) in &secrets {
            let line = text.lines().find(|line| line.contains(secret.as_str()));
            assert_eq!(line, None, "{what} is in {}", log.display());
        }
    }
}

//! Polls in which only invited people vote.

use std::fs;

use crate::scene::{Scene, mode};

#[tokio::test]
async fn an_invitation_makes_one_voter_and_is_printed_only_where_asked() {
    let scene = Scene::begin().await;
    let flags = [
        "--title",
        "Who?",
        "--option",
        "A",
        "--option",
        "B",
        "--invitations",
        "2",
    ];
    let host = scene.host("owner", &flags).await;
    let link = host.link();
    assert!(
        host.polls[0].get("invitations").is_none(),
        "{:?}",
        host.polls
    );
    let file = scene.path("owner/polls/who.invitations");
    assert_eq!(mode(&file), 0o600);
    let links = fs::read_to_string(&file).unwrap();
    let links: Vec<&str> = links.lines().collect();
    assert_eq!(links.len(), 2);
    for link in &links {
        assert!(link.contains("/invited/"), "{link}");
    }

    let voted = scene.run("ann", ["vote", &link, "--option", "A"]).await;
    voted.failed(4, "invitation");
    // By the standard input, which is in no list of processes.
    let vote = ["vote", "-", "--option", "A"];
    scene.run_with("ann", vote, &[], links[0]).await.is_done();
    // She needs it once; nobody else can use it.
    scene
        .run("ann", ["vote", &link, "--option", "B"])
        .await
        .is_done();
    let stolen = scene.run_with("eve", vote, &[], links[0]).await;
    stolen.failed(4, "");
    host.end().await;

    let mut flags = flags.to_vec();
    flags.push("--print-invitations");
    let host = scene.host("owner", &flags).await;
    let printed = host.polls[0]["invitations"].as_array().unwrap();
    // Where ballots are secret, nobody knows which one was used.
    assert_eq!(printed.len(), 2, "{printed:?}");
    assert!(printed.contains(&links[1].into()));
    host.end().await;
}

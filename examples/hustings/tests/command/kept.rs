//! An owner in a file.

use std::fs;

use crate::scene::{Scene, mode};

const PASSPHRASE: (&str, &str) = ("HUSTINGS_PASSPHRASE", "four words at least");

#[tokio::test]
async fn a_poll_that_was_moved_goes_on_elsewhere_and_no_longer_here() {
    let scene = Scene::begin().await;
    let link = scene.tea_with_a_vote().await;

    let file = scene.path("moved.age");
    let to = file.to_str().unwrap();
    let export = ["export", "--to", to, "--move", "--json"];
    let exported = scene
        .run_with("owner", export, &[PASSPHRASE], "")
        .await
        .json();
    assert_eq!(exported["intent"], "move");
    assert_eq!(exported["polls"][0], link);
    assert_eq!(mode(&file), 0o600);
    // Not twice over the same file, and not without a passphrase.
    let again = scene.run_with("owner", export, &[PASSPHRASE], "").await;
    again.failed(1, "moved.age");
    let other = scene.path("other.age");
    let without = scene
        .run("owner", ["export", "--to", other.to_str().unwrap()])
        .await;
    without.failed(11, "passphrase");
    assert!(!other.exists());

    let wrong = [("HUSTINGS_PASSPHRASE", "another")];
    let imported = scene.run_with("new", ["import", to], &wrong, "").await;
    imported.failed(11, "passphrase is wrong");
    let secret = scene.path("passphrase");
    fs::write(&secret, "four words at least\n").unwrap();
    let by_file = [
        "import",
        to,
        "--passphrase-file",
        secret.to_str().unwrap(),
        "--json",
    ];
    let imported = scene.run("new", by_file).await.json();
    assert_eq!(
        (&imported["outcome"], &imported["link"]),
        (&"added".into(), &link.as_str().into())
    );

    // The same owner, with the same votes.
    let host = scene.host("new", &[]).await;
    assert_eq!(host.link(), link);
    scene
        .run("ben", ["vote", &link, "--option", "tea"])
        .await
        .is_done();
    let results = scene.run("ann", ["results", &link, "--json"]).await.json();
    assert_eq!(results["options"][0]["votes"], 2);
    host.end().await;

    // And not where it was.
    let polls = scene.run("owner", ["polls", "--json"]).await.json();
    assert_eq!(polls["state"], "moved");
    let host = scene.tea().await;
    assert!(host.polls.is_empty(), "{:?}", host.polls);
    host.end().await;
}

#[tokio::test]
async fn an_archived_poll_is_kept_and_can_be_taken_back() {
    let scene = Scene::begin().await;
    let host = scene.tea().await;
    let link = host.link();
    host.end().await;
    let polls = scene
        .run("owner", ["polls", "--archive", &link, "--json"])
        .await
        .json();
    assert_eq!(polls["state"], "archived");
    let host = scene.tea().await;
    assert!(host.polls.is_empty(), "{:?}", host.polls);
    host.end().await;
    let polls = scene
        .run("owner", ["polls", "--take-back", &link, "--json"])
        .await
        .json();
    assert_eq!(
        (&polls["state"], &polls["title"]),
        (&"hosted".into(), &"Tea or coffee?".into())
    );
    let host = scene.tea().await;
    assert_eq!(host.link(), link);
    host.end().await;
}

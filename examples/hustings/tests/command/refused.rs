//! Failures, each with its sentence and its exit code.

use std::fs;

use crate::scene::Scene;

const NOBODY: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/\
                      01234567-89ab-4cde-8f01-23456789abcd";

#[tokio::test]
async fn a_wrong_input_is_named() {
    let scene = Scene::begin().await;
    scene
        .run("ann", ["vote", "nonsense", "--option", "1"])
        .await
        .failed(2, "no link");
    let cut = &NOBODY[..80];
    scene
        .run("ann", ["vote", cut, "--option", "1"])
        .await
        .failed(2, "incomplete");
    let server = ["results", NOBODY, "--server", "polls.example.org"];
    scene
        .run("ann", server)
        .await
        .failed(2, "polls.example.org");
    let ice = ["results", NOBODY, "--ice-servers", "{}"];
    scene.run("ann", ice).await.failed(2, "ICE servers");
    let filter = ["results", NOBODY, "--log-filter", "a=b=c"];
    scene.run("ann", filter).await.failed(2, "log filter");
    let away = ["host", "--status", "192.0.2.1:80"];
    assert_eq!(scene.run("ann", away).await.code, 2);
    let deadline = ["host", "--title", "T", "--deadline", "soon"];
    assert_eq!(scene.run("ann", deadline).await.code, 2);
    let twice = ["host", "--title", "T", "--option", "A", "--option", "a"];
    let said = scene.host_fails("ann", &twice).await;
    assert!(said.contains("the poll is invalid"), "{said}");
    let file = scene.path("poll.json");
    fs::write(&file, "{\"title\": \"T\",\n \"options\": \"none\"}").unwrap();
    let poll = ["host", "--poll", file.to_str().unwrap()];
    scene.run("ann", poll).await.failed(2, "poll.json");
    fs::write(&file, "{\"title\": ").unwrap();
    scene.run("ann", poll).await.failed(2, "line 1");
    scene
        .run("ann", ["results", "/tmp"])
        .await
        .failed(3, "no data folder");
    scene
        .run("ben", ["polls"])
        .await
        .failed(3, "no data folder");
    scene
        .run("ben", ["results", NOBODY, "--offline"])
        .await
        .failed(6, "no copy");
}

#[tokio::test]
async fn an_owner_who_is_away_and_one_who_says_no() {
    let scene = Scene::begin().await;
    let vote = ["vote", NOBODY, "--option", "1", "--timeout", "3", "--json"];
    let voted = scene.run("ann", vote).await;
    voted.failed(6, "nothing was submitted");
    let said: serde_json::Value = serde_json::from_str(&voted.out).unwrap();
    assert_eq!(
        (&said["error"], &said["exitCode"]),
        (&"owner-away".into(), &6.into())
    );

    let host = scene.tea().await;
    let link = host.link();
    scene
        .run("ann", ["vote", &link, "--option", "Milk"])
        .await
        .failed(3, "1 Tea, 2 Coffee");
    let two = ["vote", &link, "--option", "1", "--option", "2"];
    scene.run("ann", two).await.failed(4, "one choice");
    let other = link.split_once('/').unwrap().0;
    let other = format!("{other}/01234567-89ab-4cde-8f01-23456789abcd");
    scene
        .run("ann", ["vote", &other, "--option", "1"])
        .await
        .failed(5, "refused");
    // One process has a folder at a time, and an owner has another one to vote from.
    scene
        .run("owner", ["vote", &link, "--option", "1"])
        .await
        .failed(9, "take another folder with --data");
    let folder = scene.path("owner");
    let results = ["results", folder.to_str().unwrap()];
    scene
        .run("ann", results)
        .await
        .failed(9, "`hustings results LINK --data OTHER`");
    // Which is true.
    scene.run("ann", ["results", &link]).await.is_done();
    host.end().await;
    scene
        .run("owner", ["vote", &link, "--option", "1"])
        .await
        .failed(2, "owned by");
}

#[tokio::test]
async fn no_signalling_server() {
    let mut scene = Scene::begin().await;
    let host = scene.tea().await;
    let link = host.link();
    scene
        .run("ann", ["vote", &link, "--option", "1"])
        .await
        .is_done();
    host.end().await;
    scene.end_server();
    let vote = ["vote", &link, "--option", "1", "--timeout", "2"];
    scene.run("ann", vote).await.failed(8, &scene.server);
    let results = scene.run("ann", ["results", &link, "--timeout", "2"]).await;
    results.is_done();
    assert!(results.said.contains("a copy"), "{results:?}");
    let results = scene.run("ben", ["results", &link, "--timeout", "2"]).await;
    results.failed(8, &scene.server);
}

#[tokio::test]
async fn a_damaged_folder_is_no_new_person() {
    let scene = Scene::begin().await;
    fs::create_dir(scene.path("ann")).unwrap();
    fs::write(scene.path("ann/hustings.redb"), "not a store").unwrap();
    let file = scene.path("ann/hustings.redb");
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let vote = ["vote", NOBODY, "--option", "1", "--timeout", "2"];
    scene.run("ann", vote).await.failed(10, "ann");
    assert_eq!(fs::read(&file).unwrap(), b"not a store");
}

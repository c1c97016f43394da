//! A poll from its beginning to its results.

use serde_json::json;

use crate::scene::{Scene, mode};

#[tokio::test]
async fn two_vote_and_results_come_in_three_forms() {
    let scene = Scene::begin().await;
    let host = scene.tea().await;
    let link = host.link();
    let voted = scene.run("ann", ["vote", &link, "--option", "tea", "--json"]);
    assert_eq!(voted.await.json()["revision"], 1);
    scene
        .run("ben", ["vote", &link, "--option", "2"])
        .await
        .is_done();
    // He thinks again, and she takes hers back and gives it again.
    scene
        .run("ben", ["vote", &link, "--option", "Tea"])
        .await
        .is_done();
    scene
        .run("ann", ["vote", &link, "--withdraw"])
        .await
        .is_done();
    let voted = scene.run("ann", ["vote", &link, "--option", "Tea", "--json"]);
    assert_eq!(voted.await.json()["revision"], 5);

    let results = scene.run("ann", ["results", &link, "--json"]).await.json();
    assert_eq!(results["voters"], 2);
    assert_eq!(results["live"], true);
    assert_eq!(results["options"][0]["votes"], 2);
    assert_eq!(results["options"][0]["chosen"], true);
    assert_eq!(results["options"][1]["votes"], 0);
    let table = scene.run("ben", ["results", &link]).await;
    table.is_done();
    let lines: Vec<&str> = table.out.lines().collect();
    assert_eq!(
        lines,
        [
            "Tea or coffee?",
            " ●  1  Tea        2  ████████████████████",
            "    2  Coffee     0",
            "2 people have voted.",
        ]
    );
    let csv = scene
        .run("ben", ["results", &link, "--format", "csv"])
        .await;
    csv.is_done();
    let rows = format!(
        "poll,title,revision,closed,live,voters,number,option,withdrawn,votes\n\
         {link},Tea or coffee?,5,false,true,2,1,Tea,false,2\n\
         {link},Tea or coffee?,5,false,true,2,2,Coffee,false,0\n"
    );
    assert_eq!(csv.out, rows);

    host.end().await;
    // From the folder of its owner, and from a copy.
    let folder = scene.path("owner");
    let own = scene
        .run("nobody", ["results", folder.to_str().unwrap(), "--json"])
        .await
        .json();
    assert_eq!(
        own["options"],
        json!([
            {"number": 1, "id": results["options"][0]["id"], "label": "Tea", "withdrawn": false,
             "votes": 2, "chosen": false},
            {"number": 2, "id": results["options"][1]["id"], "label": "Coffee", "withdrawn": false,
             "votes": 0, "chosen": false},
        ])
    );
    let copy = scene.run("ann", ["results", &link, "--timeout", "2"]).await;
    copy.is_done();
    assert!(copy.said.contains("a copy, as of revision 5"), "{copy:?}");
    assert_eq!(copy.out, table.out);
    let copy = scene
        .run("ann", ["results", &link, "--offline", "--json"])
        .await
        .json();
    assert_eq!((&copy["live"], &copy["voters"]), (&json!(false), &json!(2)));
}

#[tokio::test]
async fn the_same_start_goes_on_with_the_same_poll() {
    let scene = Scene::begin().await;
    let link = scene.tea_with_a_vote().await;
    let host = scene.tea().await;
    assert_eq!(host.link(), link);
    let results = scene.run("ann", ["results", &link, "--json"]).await.json();
    assert_eq!(results["options"][0]["votes"], 1);
    host.end().await;
    assert_eq!(mode(&scene.path("owner")), 0o700);
    assert_eq!(mode(&scene.path("owner/hustings.redb")), 0o600);
}

#[tokio::test]
async fn a_poll_whose_link_a_crash_has_lost_is_not_made_twice() {
    let scene = Scene::begin().await;
    let host = scene.tea().await;
    let link = host.link();
    host.end().await;
    let kept = scene.path("owner/polls/tea-or-coffee.link");
    std::fs::remove_file(&kept).unwrap();
    let host = scene.tea().await;
    assert_eq!(host.link(), link);
    assert_eq!(std::fs::read_to_string(&kept).unwrap().trim(), link);
    host.end().await;
}

#[tokio::test]
async fn every_setting_of_a_poll_has_a_flag() {
    let scene = Scene::begin().await;
    let flags = [
        "--title",
        "Which?",
        "--option",
        "A",
        "--option",
        "B",
        "--multiple",
        "--voters-add-options",
        "--ballots",
        "open",
        "--results",
        "after-close",
        "--deadline",
        "2030-01-02T03:04Z",
    ];
    let host = scene.host("owner", &flags).await;
    let link = host.link();
    let voted = scene.run(
        "ann",
        [
            "vote", &link, "--option", "A", "--option", "B", "--name", "Ann",
        ],
    );
    voted.await.is_done();
    // She is told when they are due, and by the exit code that they are not.
    let results = scene.run("ann", ["results", &link]).await;
    results.failed(12, "when the poll is closed");
    let results = scene
        .run("ann", ["results", &link, "--offline", "--json"])
        .await;
    assert_eq!(results.code, 12);
    let results: serde_json::Value =
        serde_json::from_str(results.out.lines().next().unwrap()).unwrap();
    for (field, value) in [
        ("multipleChoice", json!(true)),
        ("ballots", json!("open")),
        ("results", json!("afterClose")),
        ("closesAt", json!(1_893_553_440_000_u64)),
        ("shown", json!("turnout")),
        ("voters", json!(1)),
    ] {
        assert_eq!(results[field], value, "{field}");
    }
    host.end().await;
}

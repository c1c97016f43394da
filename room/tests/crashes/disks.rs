//! Disks that are full: nothing is promised that is not durable, everybody is told what it is that
//! is full, and when there is room again all goes on.
//!
//! A disk is full in two ways. A limit on the size of the process's files can be had everywhere. A
//! real disk that is small takes a mount, which needs root or namespaces of users; where there is
//! neither, that test says so and is left out.

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use crate::host::{BALLAST, DISK, EXPORT, LIMIT, STORE, WHOLE};
use crate::scene::{OWNER, Scene};

/// The outcomes of which a busy room has more before something happens to it.
const SOME: usize = 40;

/// A participant in another process.
const OTHER: usize = 3;

/// Gives a process a disk that can be full.
fn limited(scene: &mut Scene, who: usize) -> bool {
    // To write beyond the limit raises a signal, which kills; ignored, it is an error. A Rust
    // program cannot say so without unsafe code, but what starts it can.
    let shell = ["sh", "-c", "trap '' XFSZ && exec \"$@\"", "sh"];
    scene.around.insert(who, shell.map(String::from).to_vec());
    let export = scene.path(&format!("export-{who}"));
    let settings = scene.settings.entry(who).or_default();
    settings.insert(DISK, LIMIT.into());
    settings.insert(EXPORT, export.into());
    true
}

/// Gives a process a disk of its own, which is small. False if this machine lets nobody do that.
fn on_small_disk(scene: &mut Scene, who: usize) -> bool {
    let disk = scene.path(&format!("disk-{who}"));
    fs::create_dir(&disk).unwrap();
    let script = "mount -t tmpfs -o size=6m,mode=700 tmpfs \"$0\" && exec \"$@\"";
    let Some(around) = in_namespace(script, &disk) else {
        return false;
    };
    scene.around.insert(who, around);
    let export = scene.path(&format!("export-{who}"));
    let settings = scene.settings.entry(who).or_default();
    settings.insert(DISK, BALLAST.into());
    settings.insert(EXPORT, export.into());
    settings.insert(STORE, disk.join("store.redb").into());
    true
}

/// The words that start a process behind a shell script, of which `$0` is a folder, and which may mount
/// something there. It has namespaces of its own: the mount ends with the process, however that
/// ends. `None` if this machine lets nobody do that, which is then said.
pub(crate) fn in_namespace(script: &str, folder: &Path) -> Option<Vec<String>> {
    let ways: [&[&str]; 2] = [
        &["unshare", "--mount"],
        &["unshare", "--map-root-user", "--mount"],
    ];
    let can_mount = |way: &&[&str]| {
        let mut command = Command::new(way[0]);
        command.args(&way[1..]).args(["sh", "-c", script]);
        let status = command
            .arg(folder)
            .arg("true")
            .stderr(Stdio::null())
            .status();
        status.is_ok_and(|status| status.success())
    };
    let Some(way) = ways.into_iter().find(can_mount) else {
        left_out(
            "it takes a mount; run the test as root, or allow `unshare --map-root-user --mount` \
             (sysctl kernel.unprivileged_userns_clone=1)",
        );
        return None;
    };
    let words = way.iter().copied().chain(["sh", "-c", script]);
    let mut around: Vec<String> = words.map(String::from).collect();
    around.push(folder.display().to_string());
    Some(around)
}

/// Says that the running test does not do what it is there for, where it is seen: what tests print
/// is only shown when they fail.
pub(crate) fn left_out(why: &str) {
    let test = thread::current().name().unwrap_or_default().to_owned();
    let _ = writeln!(std::io::stderr(), "{test}: LEFT OUT, {why}");
}

/// Nobody reads it until much has happened.
pub(crate) fn whole_journal(scene: &mut Scene) {
    let owner = scene.settings.entry(OWNER).or_default();
    owner.insert(WHOLE, OsString::new());
}

pub(crate) fn busy(scene: &mut Scene) {
    let enough = scene.outcomes + SOME;
    scene.hear_until(None, |scene| scene.outcomes >= enough);
}

fn an_owner_on(give_disk: fn(&mut Scene, usize) -> bool) {
    let mut scene = Scene::new(7);
    if !give_disk(&mut scene, OWNER) {
        return;
    }
    whole_journal(&mut scene);
    scene.start_owner();
    scene.wait_for(OWNER, "open");
    for who in [1, 2] {
        scene.start_here(who);
    }
    for percent in [100, 50, 75, 100] {
        busy(&mut scene);
        scene.tell_owner(&format!("fill {percent}"));
        scene.wait_for(OWNER, "filled");
        let why = scene.wait_for(OWNER, "failed");
        assert!(
            why.starts_with("Store(Full(") && why.contains(".redb"),
            "{why}"
        );
        // To open a store may take room, too. What it never is is damaged.
        let opened = scene.wait_for(OWNER, "still-full");
        assert!(["opened", "full"].contains(&&*opened), "{opened}");
        // They submit until as much as may wait does.
        let waiting = crate::member::OUTSTANDING;
        scene.hear_until(None, |scene| {
            [1, 2].iter().all(|who| scene.unanswered(*who) == waiting)
        });
        scene.tell_owner("room");
        scene.wait_for(OWNER, "open");
    }
    busy(&mut scene);
    let revision = scene.finish();
    assert!(revision > 0);
}

#[test]
fn an_owner_whose_file_may_not_grow_says_so_and_goes_on_when_it_may() {
    an_owner_on(limited);
}

#[test]
fn an_owner_whose_disk_is_full_says_so_and_goes_on_when_there_is_room() {
    an_owner_on(on_small_disk);
}

fn a_participant_on(give_disk: fn(&mut Scene, usize) -> bool) {
    let mut scene = Scene::new(8);
    if !give_disk(&mut scene, OTHER) {
        return;
    }
    whole_journal(&mut scene);
    scene.start_owner();
    scene.wait_for(OWNER, "open");
    scene.start_other(OTHER);
    scene.start_here(1);
    for _ in 0..3 {
        busy(&mut scene);
        scene.others.get_mut(&OTHER).unwrap().tell("fill 25");
        scene.wait_for(OTHER, "filled");
        let why = scene.wait_for(OTHER, "failed");
        assert!(why.starts_with("Store(Full("), "{why}");
        // Whoever calls is told, too.
        let refused = scene.wait_for(OTHER, "not-submitted");
        let expected = "the room is closed, because the store failed: storage is full: ";
        assert!(
            refused.starts_with(expected) && refused.contains(".redb"),
            "{refused}"
        );
        scene.wait_for(OTHER, "waits");
        // The owner has nothing of what was refused.
        scene.kill_owner();
        scene.look_at_the_dead();
        scene.ledger.check_nothing_unknown(OTHER);
        scene.start_owner();
        scene.wait_for(OWNER, "open");
        scene.others.get_mut(&OTHER).unwrap().tell("room");
        let before = scene.ledger.submitted[&OTHER].len();
        scene.hear_until(None, |scene| {
            scene.ledger.submitted[&OTHER].len() > before + SOME
        });
    }
    scene.finish();
    scene.ledger.check_nothing_unknown(OTHER);
}

#[test]
fn a_participant_whose_file_may_not_grow_is_told_so_and_goes_on_when_it_may() {
    a_participant_on(limited);
}

#[test]
fn a_participant_whose_disk_is_full_is_told_so_and_goes_on_when_there_is_room() {
    a_participant_on(on_small_disk);
}

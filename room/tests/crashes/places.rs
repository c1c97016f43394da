//! Places where a store cannot be written: an owner that finds its own to be one says which and why,
//! and once that is mended it goes on with everything it had.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::disks::{busy, in_namespace, left_out, whole_journal};
use crate::host::STORE;
use crate::scene::{OWNER, Scene};

/// The folder of the owner's store, which has nothing else.
fn folder(scene: &Scene) -> PathBuf {
    scene.path("folder")
}

fn store(scene: &Scene) -> PathBuf {
    folder(scene).join("store.redb")
}

/// An owner with a history, which was killed, and somebody who goes on submitting.
fn dead_owner(seed: u64) -> Scene {
    let mut scene = Scene::new(seed);
    fs::create_dir(folder(&scene)).unwrap();
    whole_journal(&mut scene);
    let store = OsString::from(store(&scene));
    let owner = scene.settings.entry(OWNER).or_default();
    owner.insert(STORE, store);
    scene.start_owner();
    scene.wait_for(OWNER, "open");
    scene.start_here(1);
    busy(&mut scene);
    scene.kill_owner();
    scene.look_at_the_dead();
    scene
}

/// It says so in these words, and does not open anything.
fn fails(scene: &mut Scene, error: &str, words: &str) {
    scene.heard.clear();
    scene.start_owner();
    let why = scene.wait_for(OWNER, "failed");
    let place = store(scene).display().to_string();
    assert!(why.starts_with(error), "{why}");
    assert!(why.contains(&place) && why.contains(words), "{why}");
    scene.kill_owner();
    scene.heard.clear();
}

fn goes_on(scene: &mut Scene) {
    scene.around.clear();
    scene.start_owner();
    scene.wait_for(OWNER, "open");
    busy(scene);
    scene.finish();
}

fn runs(command: &mut Command) -> bool {
    let status = command.stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

#[test]
fn a_store_on_a_disk_that_is_read_only_is_named_and_goes_on_when_it_is_not() {
    let mut scene = dead_owner(21);
    let script = "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\" && exec \"$@\"";
    let Some(around) = in_namespace(script, &folder(&scene)) else {
        return;
    };
    scene.around.insert(OWNER, around);
    fails(&mut scene, "Io(", "Read-only file system");
    goes_on(&mut scene);
}

#[test]
fn a_store_that_this_user_may_not_write_is_named_and_goes_on_when_they_may() {
    let mut scene = dead_owner(22);
    // Root may do everything, unless it gives that up.
    let without_capability: [&str; 3] = [
        "setpriv",
        "--bounding-set=-dac_override,-dac_read_search",
        "--inh-caps=-dac_override,-dac_read_search",
    ];
    let file = store(&scene);
    let mode = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    mode(&file, 0o400);
    let is_kept_out = |around: &[&str]| {
        let wrapped = |script: &str| {
            let mut words = around.iter().copied().chain(["sh", "-c", script]);
            let mut command = Command::new(words.next().unwrap());
            runs(command.args(words).arg(&file))
        };
        wrapped("true") && !wrapped(": >> \"$0\"")
    };
    let ways: [&[&str]; 2] = [&[], &without_capability];
    let Some(way) = ways.into_iter().find(|way| is_kept_out(way)) else {
        left_out("root may write everything, and there is no setpriv; run it as somebody else");
        return;
    };
    let around = || way.iter().map(ToString::to_string).collect();
    scene.around.insert(OWNER, around());
    fails(&mut scene, "Io(", "Permission denied");
    mode(&file, 0o600);
    // May be read and written, if only one got there.
    mode(&folder(&scene), 0o600);
    fails(&mut scene, "Io(", "Permission denied");
    mode(&folder(&scene), 0o700);
    goes_on(&mut scene);
}

#[test]
fn a_store_whose_folder_is_removed_is_named_and_goes_on_where_it_was_put() {
    let mut scene = dead_owner(23);
    scene.start_owner();
    scene.wait_for(OWNER, "open");
    busy(&mut scene);
    // Under the running owner.
    let away = scene.path("away");
    fs::rename(folder(&scene), &away).unwrap();
    let why = scene.wait_for(OWNER, "failed");
    assert!(why.starts_with("Store(Deleted("), "{why}");
    scene.kill_owner();
    fails(&mut scene, "Io(", "No such file or directory");
    // A place that is something else.
    fs::write(folder(&scene), "a file").unwrap();
    fails(&mut scene, "Io(", "Not a directory");
    fs::remove_file(folder(&scene)).unwrap();
    fs::create_dir_all(store(&scene)).unwrap();
    fails(&mut scene, "Io(", "Is a directory");
    fs::remove_dir_all(folder(&scene)).unwrap();

    fs::rename(away, folder(&scene)).unwrap();
    goes_on(&mut scene);
}

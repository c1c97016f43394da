//! A Rust toolchain with wasm, made of Debian's packages.
//!
//! Debian brings a current Rust under names that end in `-web`, with its source but without the
//! standard library of wasm. The packages are only unpacked, never installed: they would collide
//! with rustup. The standard library is built once from the source, and rustup then knows the
//! whole as one more toolchain.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{self as os, Command};
use std::{env, fs};

use super::{TOOLCHAIN, WASM, cache, has_std};
use crate::error::Error;
use crate::process::{capture, run, stdout, step, target};

/// The packages that the toolchain is made of, beside the linker and what they depend on.
const PACKAGES: [&str; 6] = [
    "rustc-web",
    "cargo-web",
    "libstd-rust-web-dev",
    "rust-web-src",
    "rust-web-clippy",
    "rustfmt-web",
];

/// Makes the toolchain unless it is there, and tells rustup of it.
pub(super) fn install() -> Result<(), Error> {
    possible()?;
    let toolchain = cache()?.join("rust-wasm");
    if !has_std(&wasm_libraries(&toolchain)) {
        make(&toolchain)?;
    }
    step(&format!("rustup toolchain link {TOOLCHAIN}"), || {
        let mut link = Command::new("rustup");
        run(link.args(["toolchain", "link", TOOLCHAIN]).arg(&toolchain))
    })?;
    // Cargo knows a compiler by its version. It would take what was built with another standard
    // library of the same version for its own, and rustc would not find the crates in it.
    let built = target().join(WASM);
    if built.exists() {
        fs::remove_dir_all(&built).map_err(Error::file("remove", &built))?;
    }
    Ok(())
}

/// True if Debian's packages can be had and installed.
pub(crate) fn root_on_debian() -> bool {
    let root = stdout(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    root && works("apt-get") && works("dpkg-deb")
}

fn works(program: &str) -> bool {
    capture(Command::new(program).arg("--version")).is_ok_and(|said| said.status.success())
}

/// Says what to do where this cannot be done.
fn possible() -> Result<(), Error> {
    if works("rustup") && root_on_debian() {
        return Ok(());
    }
    Err(Error::Because(format!(
        "wasm needs its standard library: run `rustup target add {WASM}`, or, where rustup's \
         server cannot be reached, run this as root on a Debian with rustup"
    )))
}

fn wasm_libraries(toolchain: &Path) -> PathBuf {
    toolchain.join("lib/rustlib").join(WASM).join("lib")
}

/// Makes the toolchain beside its place and moves it there when it is whole, so that an
/// interrupted run leaves nothing that looks finished.
fn make(toolchain: &Path) -> Result<(), Error> {
    let stage = toolchain.with_extension(format!("{}.{UNFINISHED}", os::id()));
    sweep(toolchain)?;
    let made = stage_in(&stage).and_then(|()| {
        // Without a standard library it is of an older try, and never of use.
        if toolchain.exists() && !has_std(&wasm_libraries(toolchain)) {
            fs::remove_dir_all(toolchain).map_err(Error::file("remove", toolchain))?;
        }
        let moved = fs::rename(stage.join("usr"), toolchain);
        // Somebody else may have been faster.
        if has_std(&wasm_libraries(toolchain)) {
            return Ok(());
        }
        moved.map_err(Error::file("make", toolchain))
    });
    // The next run sweeps up what stays behind after an error here.
    let _ = fs::remove_dir_all(&stage);
    made
}

/// The ending of the folders of unfinished work; before it is the process that works there.
const UNFINISHED: &str = "unfinished";

/// Removes what interrupted runs have left behind.
fn sweep(toolchain: &Path) -> Result<(), Error> {
    let Some(cache) = toolchain.parent().filter(|cache| cache.exists()) else {
        return Ok(());
    };
    for folder in entries(cache)? {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let process = name
            .strip_suffix(UNFINISHED)
            .and_then(|name| name.split('.').nth(1));
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            fs::remove_dir_all(&folder).map_err(Error::file("remove", &folder))?;
        }
    }
    Ok(())
}

fn stage_in(stage: &Path) -> Result<(), Error> {
    let debs = stage.join("debs");
    fs::create_dir_all(&debs).map_err(Error::file("make", &debs))?;
    step("apt-get update", || run(apt(stage).arg("update")))?;
    step("download Debian's Rust", || {
        let packages = packages(stage)?;
        run(apt(&debs).arg("download").args(packages))
    })?;
    step("unpack it", || unpack(stage, &debs))?;
    step("build the standard library of wasm", || build_std(stage))
}

fn apt(folder: &Path) -> Command {
    let mut apt = Command::new("apt-get");
    // apt's own user cannot write to a folder of root's, and apt says so for each package.
    apt.args(["-qq", "-o", "APT::Sandbox::User=root"])
        .current_dir(folder);
    apt
}

/// The packages to unpack: those named here and what of their dependencies is not installed.
fn packages(stage: &Path) -> Result<Vec<String>, Error> {
    let llvm = stdout(Command::new("apt-cache").args(["depends", "rust-web-llvm"]))?;
    let lld = linker(&llvm).ok_or_else(|| {
        Error::Because("Debian does not say which LLVM its Rust is built with".to_owned())
    })?;
    let mut simulation = apt(stage);
    simulation.args([
        "install",
        "--simulate",
        "--reinstall",
        "--no-install-recommends",
    ]);
    // Under another locale, apt still says `Inst`; a quieter one would say nothing.
    let said = stdout(simulation.arg("-o").arg("quiet=0").args(PACKAGES).arg(lld))?;
    Ok(would_install(&said).map(str::to_owned).collect())
}

/// The linker that goes with the LLVM that `apt-cache depends` shows: lld-22 for llvm-22.
fn linker(depends: &str) -> Option<String> {
    let version = depends
        .lines()
        .find_map(|line| line.trim().strip_prefix("Depends: llvm-"))?;
    Some(format!("lld-{version}"))
}

/// The packages that `apt-get install --simulate` would install.
fn would_install(simulation: &str) -> impl Iterator<Item = &str> {
    let named = simulation
        .lines()
        .filter_map(|line| line.strip_prefix("Inst "));
    named.filter_map(|rest| rest.split_whitespace().next())
}

/// Makes one tree of the packages, in the layout that rustup knows.
fn unpack(stage: &Path, debs: &Path) -> Result<(), Error> {
    for deb in entries(debs)? {
        run(Command::new("dpkg-deb")
            .arg("--extract")
            .arg(deb)
            .arg(stage))?;
    }
    // rustup has the loader look in lib, Debian has its libraries in a folder below that.
    let lib = stage.join("usr/lib");
    for folder in entries(&lib)? {
        let Some(triple) = folder
            .file_name()
            .filter(|name| ends_with(name, "-linux-gnu"))
        else {
            continue;
        };
        for library in entries(&folder)? {
            let Some(name) = library.file_name() else {
                continue;
            };
            let place = lib.join(name);
            if name.to_string_lossy().contains(".so") && !place.exists() {
                symlink(&Path::new(triple).join(name), &place)?;
            }
        }
    }
    // rustc looks for its linker under the name and in the place that rustup's toolchains have.
    let bin = stage.join("usr/bin");
    let rustlib = lib.join("rustlib").join(host(stage)?).join("bin");
    fs::create_dir_all(&rustlib).map_err(Error::file("make", &rustlib))?;
    let name = |path: &PathBuf| path.file_name().map(OsStr::to_owned);
    let lld = entries(&bin)?
        .iter()
        .filter_map(name)
        .find(|name| starts_with(name, "lld-"));
    let lld = lld.ok_or_else(|| Error::Because("Debian's lld has no program lld-…".to_owned()))?;
    let place = rustlib.join("rust-lld");
    symlink(&Path::new("../../../../bin").join(lld), &place)
}

/// With `ln`, so that this compiles on systems that Debian's packages are not for.
fn symlink(to: &Path, place: &Path) -> Result<(), Error> {
    run(Command::new("ln").arg("-s").arg(to).arg(place))
}

/// The target that the unpacked rustc itself runs on.
fn host(stage: &Path) -> Result<String, Error> {
    let mut rustc = Command::new(stage.join("usr/bin/rustc"));
    let said = stdout(
        rustc
            .arg("-vV")
            .env("LD_LIBRARY_PATH", stage.join("usr/lib")),
    )?;
    let host = said
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned);
    host.ok_or_else(|| Error::Because("Debian's rustc does not say its host".to_owned()))
}

/// Builds the standard library of wasm and puts it where rustc looks for it.
fn build_std(stage: &Path) -> Result<(), Error> {
    let usr = stage.join("usr");
    let empty = stage.join("empty");
    let source = empty.join("src");
    fs::create_dir_all(&source).map_err(Error::file("make", &source))?;
    let manifest = "[package]\nname = \"empty\"\nedition = \"2024\"\n\n[workspace]\n";
    for (name, text) in [("Cargo.toml", manifest), ("src/lib.rs", "")] {
        let path = empty.join(name);
        fs::write(&path, text).map_err(Error::file("write", &path))?;
    }
    let built = empty.join("target");
    let mut cargo = Command::new(usr.join("bin/cargo"));
    cargo.args(["build", "--release", "--target", WASM]);
    // `test` is for the test harness, which cargo builds for wasm as well.
    cargo
        .arg("-Zbuild-std=std,panic_abort,panic_unwind,proc_macro,test")
        .current_dir(&empty);
    // What the caller's own builds are told does not concern this one.
    for (name, _) in env::vars_os() {
        let ours = ["CARGO_HOME", "CARGO_HTTP_CAINFO"]
            .iter()
            .any(|kept| name == *kept);
        if !ours && (starts_with(&name, "CARGO") || starts_with(&name, "RUST")) {
            cargo.env_remove(&name);
        }
    }
    cargo.env("LD_LIBRARY_PATH", usr.join("lib"));
    cargo.env("RUSTC", usr.join("bin/rustc"));
    cargo.env("CARGO_TARGET_DIR", &built);
    // build-std is unstable; the compiler is told that it may.
    cargo.env("RUSTC_BOOTSTRAP", "1");
    // Without its bitcode the standard library would not take part in link-time optimisation.
    cargo.env(
        "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS",
        "-Cembed-bitcode=yes",
    );
    run(&mut cargo)?;

    let libraries = wasm_libraries(&usr);
    fs::create_dir_all(&libraries).map_err(Error::file("make", &libraries))?;
    for library in entries(&built.join(WASM).join("release/deps"))? {
        let Some(name) = library.file_name() else {
            continue;
        };
        if ends_with(name, ".rlib") && !starts_with(name, "libempty-") {
            let place = libraries.join(name);
            fs::rename(&library, &place).map_err(Error::file("make", &place))?;
        }
    }
    // The source and the manuals have done their part and are the larger half.
    for folder in [usr.join("src"), usr.join("share")] {
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(Error::file("remove", &folder))?;
        }
    }
    Ok(())
}

/// The entries of a folder.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let paths = fs::read_dir(folder).map_err(Error::file("read", folder))?;
    paths
        .map(|entry| Ok(entry.map_err(Error::file("read", folder))?.path()))
        .collect()
}

fn starts_with(name: &OsStr, prefix: &str) -> bool {
    name.to_string_lossy().starts_with(prefix)
}

fn ends_with(name: &OsStr, suffix: &str) -> bool {
    name.to_string_lossy().ends_with(suffix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_linker_is_of_the_same_llvm() {
        let depends = "rust-web-llvm\n  Depends: libc6\n  Depends: llvm-22\n  Conflicts: <x>\n";
        assert_eq!(linker(depends).as_deref(), Some("lld-22"));
        assert_eq!(linker("rust-web-llvm\n"), None);
    }

    #[test]
    fn a_simulation_names_what_is_missing() {
        let said = "\
Reading package lists...
Remv cargo [0.66.0]
Inst libgit2-1.5 (1.5.1 Debian-Security:12 [amd64])
Inst rustc-web [1.85.0] (1.96.0 Debian-Security:12 [amd64])
Conf rustc-web (1.96.0 Debian-Security:12 [amd64])
";
        assert_eq!(
            would_install(said).collect::<Vec<_>>(),
            ["libgit2-1.5", "rustc-web"]
        );
    }
}

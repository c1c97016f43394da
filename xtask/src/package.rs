//! `cargo xtask package`: the library for JavaScript, as an npm package in a folder.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::error::Error;
use crate::{process, setup, wasm};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Build it quickly, large and slow
    #[arg(long)]
    dev: bool,
}

/// What `package.json` says: what wasm-pack writes for `--target web`.
const PACKAGE: &str = r#"{
  "name": "hustings",
  "type": "module",
  "description": "Peer-to-peer polls over PeerJS: host a poll in a browser tab, join by a link, and lose no vote",
  "version": "VERSION",
  "license": "MIT OR Apache-2.0",
  "files": [
    "hustings_bg.wasm",
    "hustings_bg.wasm.d.ts",
    "hustings.js",
    "hustings.d.ts"
  ],
  "main": "hustings.js",
  "types": "hustings.d.ts",
  "sideEffects": false
}
"#;

/// Builds the package and says where it is.
pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let to = build(args.dev)?;
    println!("npm install {}", to.display());
    Ok(())
}

/// Builds the package. The folder has nothing else in it: whoever depends on it copies or links it.
pub(crate) fn build(dev: bool) -> Result<PathBuf, Error> {
    let cargo = setup::wasm()?;
    let tool = process::step("build wasm-bindgen", wasm::tool)?;
    let (profile, folder) = match dev {
        true => ("dev", "debug"),
        false => (wasm::PROFILE, wasm::PROFILE),
    };
    let mut build = cargo.command();
    build.args(["build", "--profile", profile, "--target", setup::WASM]);
    process::step("build examples/poll-js", || {
        process::run(build.args(["-p", "poll-js"]))
    })?;
    let built = process::target().join(setup::WASM).join(folder);
    let to = process::scratch()?.join("poll-js");
    process::step("make the package", || {
        if to.exists() {
            fs::remove_dir_all(&to).map_err(Error::file("empty", &to))?;
        }
        let mut bindgen = Command::new(&tool);
        bindgen.args(["bindgen", "--target", "web", "--out-name", "hustings"]);
        if !dev {
            bindgen.args(["--remove-name-section", "--remove-producers-section"]);
        }
        bindgen.arg("--out-dir").arg(&to);
        process::run(bindgen.arg(built.join("poll_js.wasm")))?;
        let package = to.join("package.json");
        let text = PACKAGE.replace("VERSION", env!("CARGO_PKG_VERSION"));
        fs::write(&package, text).map_err(Error::file("write", &package))?;
        let readme = process::root().join("examples/poll-js/README.md");
        fs::copy(&readme, to.join("README.md")).map_err(Error::file("copy", &readme))?;
        Ok(())
    })?;
    Ok(to)
}

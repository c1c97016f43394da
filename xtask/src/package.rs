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

/// The build of a package.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speed {
    /// Large and slow, as tests are.
    Quick,
    /// As small as it gets.
    Small,
}

/// The content of `package.json`: what wasm-pack writes for `--target web`, and an `exports` map.
/// Bundlers that do not follow `new URL(…, import.meta.url)` import the wasm by its own name.
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
    "hustings.d.ts",
    "snippets"
  ],
  "main": "hustings.js",
  "types": "hustings.d.ts",
  "exports": {
    ".": {
      "types": "./hustings.d.ts",
      "default": "./hustings.js"
    },
    "./hustings_bg.wasm": {
      "types": "./hustings_bg.wasm.d.ts",
      "default": "./hustings_bg.wasm"
    },
    "./package.json": "./package.json"
  },
  "sideEffects": false
}
"#;

/// The first line of the types. The classes can be disposed of, for which older targets of
/// TypeScript know no symbol unless they are told.
const LIBRARY: &str = "/// <reference lib=\"esnext.disposable\" />\n";

/// Builds the package and says where it is.
pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let to = build(match args.dev {
        true => Speed::Quick,
        false => Speed::Small,
    })?;
    println!("npm install {}", to.display());
    Ok(())
}

/// Builds the package where wasm-pack would put it, too: others depend on it by its path.
pub(crate) fn build(speed: Speed) -> Result<PathBuf, Error> {
    let cargo = setup::wasm()?;
    let tool = process::step("build wasm-bindgen", wasm::tool)?;
    let (profile, folder) = match speed {
        Speed::Quick => ("dev", "debug"),
        Speed::Small => (setup::PROFILE, setup::PROFILE),
    };
    let mut build = cargo.build(profile);
    // As the tests in a browser are built, so that what they have in common is built once.
    build.env("CARGO_PROFILE_DEV_DEBUG", "0");
    process::step("build examples/poll-js", || {
        process::run(build.args(["-p", "hustings-poll-js"]))
    })?;
    let built = process::target().join(setup::WASM).join(folder);
    let to = process::root().join("examples/poll-js/pkg");
    process::step("make the package", || {
        if to.exists() {
            fs::remove_dir_all(&to).map_err(Error::file("empty", &to))?;
        }
        let mut bindgen = Command::new(&tool);
        bindgen.args(["bindgen", "--target", "web", "--out-name", "hustings"]);
        if speed == Speed::Small {
            bindgen.args(["--remove-name-section", "--remove-producers-section"]);
        }
        bindgen.arg("--out-dir").arg(&to);
        process::run(bindgen.arg(built.join("hustings_poll_js.wasm")))?;
        let types = to.join("hustings.d.ts");
        let text = fs::read_to_string(&types).map_err(Error::file("read", &types))?;
        fs::write(&types, format!("{LIBRARY}{text}")).map_err(Error::file("write", &types))?;
        let package = to.join("package.json");
        let text = PACKAGE.replace("VERSION", env!("CARGO_PKG_VERSION"));
        fs::write(&package, text).map_err(Error::file("write", &package))?;
        let readme = process::root().join("examples/poll-js/README.md");
        fs::copy(&readme, to.join("README.md")).map_err(Error::file("copy", &readme))?;
        Ok(())
    })?;
    Ok(to)
}

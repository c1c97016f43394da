//! The parts of xtask that know wasm: bindings, their size, and the test runner of wasm-bindgen.
//!
//! A crate of its own because `wasm-bindgen-cli` takes more than a minute to build, and most chores
//! need none of it. As a library of the workspace it has, by the workspace's lock file, the version
//! of the `wasm-bindgen` that the crates are built with: no other one can read what they contain.
//!
//! - `hustings-xtask-wasm test <file.wasm> [test arguments]` runs a test binary in a browser; cargo
//!   calls it as the runner of the target
//! - `hustings-xtask-wasm bindgen <wasm-bindgen's arguments>` makes the bindings of a wasm
//! - `hustings-xtask-wasm size <file>…` says how large files are, raw and compressed

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use flate2::Compression;
use flate2::write::GzEncoder;
use wasm_bindgen_cli::{wasm_bindgen, wasm_bindgen_test_runner};

fn main() -> ExitCode {
    let mut args = std::env::args_os();
    let program = args.next();
    let chore = args.next();
    match run(chore, program.into_iter().chain(args).collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:?}");
            ExitCode::FAILURE
        }
    }
}

/// Does one chore. Both of wasm-bindgen's read the program's name first, as `main` functions do.
fn run(chore: Option<OsString>, args: Vec<OsString>) -> Result<()> {
    match chore.as_deref().and_then(|chore| chore.to_str()) {
        Some("test") => wasm_bindgen_test_runner::run_cli_with_args(args),
        Some("bindgen") => wasm_bindgen::run_cli_with_args(args),
        Some("size") => sizes(&args[1..]),
        Some(_) | None => bail!("say test, bindgen or size; `cargo xtask` does"),
    }
}

/// Prints the size of each file and of all, in bytes: raw, and as a server sends it.
fn sizes(files: &[OsString]) -> Result<()> {
    let mut all = (0, 0);
    for file in files {
        let file = Path::new(file);
        let content = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(&content)?;
        let size = (content.len(), gzip.finish()?.len());
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        println!("{:>9} {:>9}  {name}", size.0, size.1);
        all = (all.0 + size.0, all.1 + size.1);
    }
    println!("{:>9} {:>9}  in all", all.0, all.1);
    Ok(())
}

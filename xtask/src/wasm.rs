//! `cargo xtask wasm`: what the library weighs in a browser.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;
use crate::{process, setup};

/// The features that rustc uses, which binaryen has to know.
const WASM_OPT: &str = "-Oz --enable-bulk-memory --enable-multivalue --enable-mutable-globals \
                        --enable-nontrapping-float-to-int --enable-reference-types \
                        --enable-sign-ext";

/// What stands above the sizes of files.
pub(crate) const SIZES: &str = "      raw      gzip    brotli  (bytes)";

/// Builds `xtask/bench/size` and prints the sizes.
pub(crate) fn run() -> Result<(), Error> {
    let cargo = setup::wasm()?;
    let tool = process::step("build wasm-bindgen", tool)?;
    let mut build = cargo.build(setup::PROFILE);
    process::step("build xtask/bench/size", || {
        process::run(build.args(["-p", "hustings-bench-size"]))
    })?;
    let to = process::scratch()?.join("bench-size");
    process::step("make the bindings", || {
        bindings(&tool, &built("hustings_bench_size.wasm"), &to)
    })?;
    let (wasm, glue) = (
        to.join("hustings_bench_size_bg.wasm"),
        to.join("hustings_bench_size.js"),
    );
    say(&tool, [&wasm, &glue])?;
    if !process::has_npm() {
        eprintln!("==> wasm-opt: LEFT OUT, it needs Node.js and npm; it takes off another 2 %");
        return Ok(());
    }
    // npm's: Debian's (108) misreads what newer compilers write, and breaks it without a word.
    let programs = process::step("install wasm-opt", || {
        process::npm_ci("xtask/bench/size/npm")
    })?;
    let smaller = to.join("hustings_bench_size_opt.wasm");
    let mut opt = Command::new(programs.join("wasm-opt"));
    opt.args(WASM_OPT.split_whitespace())
        .arg(&wasm)
        .arg("-o")
        .arg(&smaller);
    process::step("wasm-opt -Oz", || process::run(&mut opt))?;
    say(&tool, [&smaller, &glue])
}

/// Prints the sizes of what a page loads.
fn say(tool: &Path, files: [&Path; 2]) -> Result<(), Error> {
    println!("{SIZES}");
    process::run(Command::new(tool).arg("size").args(files))
}

/// Makes the bindings of a wasm, for a page to load.
pub(crate) fn bindings(tool: &Path, wasm: &Path, to: &Path) -> Result<(), Error> {
    process::run(bindgen(tool, to).arg(wasm))
}

/// The same for one that has parts, which are joined to it by what the linker exports.
pub(crate) fn bindings_of_split(tool: &Path, wasm: &Path, to: &Path) -> Result<(), Error> {
    process::run(bindgen(tool, to).arg("--keep-lld-exports").arg(wasm))
}

fn bindgen(tool: &Path, to: &Path) -> Command {
    let mut bindgen = Command::new(tool);
    bindgen.args(["bindgen", "--target", "web", "--no-typescript"]);
    bindgen.args(["--remove-name-section", "--remove-producers-section"]);
    bindgen.arg("--out-dir").arg(to);
    bindgen
}

/// A wasm that was built.
pub(crate) fn built(wasm: &str) -> PathBuf {
    let folder = process::target().join(setup::WASM).join(setup::PROFILE);
    folder.join(wasm)
}

/// wasm-bindgen and its test runner, built if need be.
pub(crate) fn tool() -> Result<PathBuf, Error> {
    process::run(&mut process::cargo([
        "build",
        "--package",
        "hustings-xtask-wasm",
    ]))?;
    let name = format!("hustings-xtask-wasm{}", std::env::consts::EXE_SUFFIX);
    Ok(process::target().join("debug").join(name))
}

//! The parts of xtask that know wasm: bindings, their size, and the test runner of wasm-bindgen.
//!
//! A crate of its own because `wasm-bindgen-cli` takes more than a minute to build, and most chores
//! need none of it. As a library of the workspace it has, by the workspace's lock file, the version
//! of the `wasm-bindgen` that the crates are built with: no other one can read what they contain.
//!
//! - `hustings-xtask-wasm test <file.wasm> [test arguments]` runs a test binary in a browser; cargo
//!   calls it as the runner of the target
//! - `hustings-xtask-wasm bindgen <wasm-bindgen's arguments>` makes the bindings of a wasm
//! - `hustings-xtask-wasm split <file.wasm> <folder>` takes apart what a page does not load at once
//! - `hustings-xtask-wasm size <file>…` says how large files are, raw and compressed
//! - `hustings-xtask-wasm compress <file>…` writes each file, compressed, beside it, for servers
//!   that then need not do it

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, bail};
use brotli::CompressorWriter;
use flate2::Compression;
use flate2::write::GzEncoder;
use wasm_bindgen_cli::{wasm_bindgen, wasm_bindgen_test_runner};
use wasm_split_cli_support::Options;

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
        Some("split") => split(&args[1..]),
        Some("size") => sizes(&args[1..]),
        Some("compress") => compress(&args[1..]),
        Some(_) | None => bail!("say test, bindgen, split, size or compress; `cargo xtask` does"),
    }
}

/// Writes into the folder the wasm without what its functions with `wasm_split` alone need, under
/// its own name; a `split_….wasm` for each word that they say; and `split.js`, which loads these.
///
/// Parts that are loaded have to be joined to the instance that there is, and `boot.js` is asked
/// for it: the glue, which would be asked otherwise, names the loader itself.
fn split(args: &[OsString]) -> Result<()> {
    let [wasm, folder] = args else {
        bail!("say split <file.wasm> <folder>");
    };
    let content = read(wasm)?;
    let folder = Path::new(folder);
    let main = folder.join(Path::new(wasm).file_name().unwrap_or_default());
    let mut options = Options::new(&content);
    options.output_dir = folder;
    options.main_out_path = &main;
    options.link_name = "./split.js";
    options.main_module = "./boot.js";
    let split = wasm_split_cli_support::transform(options);
    let split = split.map_err(|error| anyhow!("{error:?}"))?;
    // Of the rest wasm-bindgen takes it off.
    for part in split.split_modules {
        let bare = bare(&fs::read(&part)?).with_context(|| format!("{}", part.display()))?;
        fs::write(&part, bare).with_context(|| format!("cannot write {}", part.display()))?;
    }
    Ok(())
}

/// A wasm without its custom sections: the names of its functions, and the like.
fn bare(wasm: &[u8]) -> Result<Vec<u8>> {
    const HEAD: usize = 8;
    const CUSTOM: u8 = 0;
    let (head, mut rest) = wasm.split_at_checked(HEAD).context("it has no head")?;
    let mut bare = head.to_vec();
    while let Some((id, after)) = rest.split_first() {
        // Seven bits of the size in a byte, the lowest first; the last one has no eighth.
        let last = after.iter().position(|byte| byte & 0x80 == 0);
        let digits = &after[..=last.context("a section has no size")?];
        let add = |size: usize, digit: &u8| (size << 7) | usize::from(digit & 0x7f);
        let size = digits.iter().rev().fold(0, add);
        let section = rest.split_at_checked(1 + digits.len() + size);
        let (section, next) = section.context("a section is cut off")?;
        if *id != CUSTOM {
            bare.extend(section);
        }
        rest = next;
    }
    Ok(bare)
}

/// Brotli's best quality: this is done once, and sent many times.
const QUALITY: u32 = 11;
/// The largest window that every browser takes, as a power of two (RFC 7932, 9.1).
const WINDOW: u32 = 22;
/// The size of the buffer on the way to it, in bytes.
const BUFFER: usize = 64 * 1024;

fn gzip(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(content)?;
    gzip.finish()
}

fn brotli(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut brotli = CompressorWriter::new(Vec::new(), BUFFER, QUALITY, WINDOW);
    brotli.write_all(content)?;
    Ok(brotli.into_inner())
}

/// Writes `x.br` and `x.gz` beside each file `x` that they are smaller than.
fn compress(files: &[OsString]) -> Result<()> {
    for file in files {
        let content = read(file)?;
        for (kind, compressed) in [(".br", brotli(&content)?), (".gz", gzip(&content)?)] {
            if compressed.len() >= content.len() {
                continue;
            }
            let mut to = file.clone();
            to.push(kind);
            let to = PathBuf::from(to);
            fs::write(&to, compressed).with_context(|| format!("cannot write {}", to.display()))?;
        }
    }
    Ok(())
}

/// Prints the size of each file and of all, in bytes: raw, and as a server sends it.
fn sizes(files: &[OsString]) -> Result<()> {
    let mut all = [0; 3];
    for file in files {
        let content = read(file)?;
        let sizes = [
            content.len(),
            gzip(&content)?.len(),
            brotli(&content)?.len(),
        ];
        let name = Path::new(file).file_name().unwrap_or_default();
        print(sizes, &name.to_string_lossy());
        for (all, size) in all.iter_mut().zip(sizes) {
            *all += size;
        }
    }
    print(all, "in all");
    Ok(())
}

fn print([raw, gzip, brotli]: [usize; 3], what: &str) {
    println!("{raw:>9} {gzip:>9} {brotli:>9}  {what}");
}

fn read(file: &OsString) -> Result<Vec<u8>> {
    let file = Path::new(file);
    fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wasm_loses_what_is_not_its_code() {
        let head = b"\0asm\x01\0\0\0";
        // One that is longer than a byte of its size can say.
        let kept = [b"\x01\x80\x01".as_slice(), &[7; 128], b"\x0a\x02ab"].concat();
        let names = b"\0\x05\x04name".as_slice();
        let wasm = [head.as_slice(), names, &kept, names].concat();
        assert_eq!(bare(&wasm).unwrap(), [head.as_slice(), &kept].concat());
        assert!(bare(&wasm[..wasm.len() - 1]).is_err());
        assert!(bare(b"\0asm").is_err());
    }
}

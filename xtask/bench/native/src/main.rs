//! A poll of thousands of programs over real WebRTC on loopback: what a link costs its owner.
//!
//! `cargo xtask bench --native` runs it. The owner is a process of its own, so that its memory and
//! its time are its own; the participants share a few others, and the signalling server is in the
//! one that measures. With `--mem` all of it is one process over `transport-mem`: the same poll
//! without WebRTC.

#[cfg(unix)]
mod crowd;
#[cfg(unix)]
mod host;
#[cfg(unix)]
mod parts;
#[cfg(unix)]
mod person;
#[cfg(unix)]
mod run;
#[cfg(unix)]
mod usage;

#[cfg(unix)]
fn main() -> anyhow::Result<()> {
    run::main()
}

#[cfg(not(unix))]
fn main() {
    eprintln!("error: what a process uses is only measured on Unix");
    std::process::exit(1);
}

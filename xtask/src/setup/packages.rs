//! Programs that are installed with Debian's packages, where that can be done.

use std::process::Command;

use crate::error::Error;
use crate::process::{run, step};

/// Installs packages, of the newest list that there is.
pub(crate) fn install(packages: &[&str]) -> Result<(), Error> {
    step(&format!("apt-get install {}", packages.join(" ")), || {
        let apt = |args: &[&str]| {
            let mut apt = Command::new("apt-get");
            apt.args(["-qq", "-o", "Dpkg::Use-Pty=0"]).args(args);
            run(apt.env("DEBIAN_FRONTEND", "noninteractive"))
        };
        apt(&["update"])?;
        apt(&[&["install", "-y", "--no-install-recommends"][..], packages].concat())
    })
}

//! The command `hustings`, for a demo and the scenarios.

use std::env;
use std::path::PathBuf;

use crate::error::Error;
use crate::process;

/// Builds it, and says where the program is.
pub(crate) fn build() -> Result<PathBuf, Error> {
    process::run(&mut process::cargo(["build", "--package", "hustings-cli"]))?;
    let file = format!("hustings{}", env::consts::EXE_SUFFIX);
    Ok(process::target().join("debug").join(file))
}

use crate::error::Error;
use std::path::Path;
pub(super) fn run(_: &Path) -> Result<(), Error> {
    Ok(())
}

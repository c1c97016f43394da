//! `cargo xtask session`: a host and many voters in browsers of their own, for as long as one likes.

use crate::e2e;
use crate::error::Error;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The seed of what people do
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// The voters, with a browser each
    #[arg(long, value_name = "N", default_value_t = 12)]
    people: usize,
    /// The number of things that they do, some thirty a minute
    #[arg(long, value_name = "N", default_value_t = 1800)]
    acts: usize,
}

/// Plays it. The pictures of its turning points are in `target/e2e/pictures`.
pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let settings = [
        ("HUSTINGS_SEED", args.seed.to_string()),
        ("HUSTINGS_PEOPLE", args.people.to_string()),
        ("HUSTINGS_ACTS", args.acts.to_string()),
    ];
    let only = ["--test", "app", "a_session_of_real_use"];
    e2e::run_with(&only.map(Into::into), &settings)
}

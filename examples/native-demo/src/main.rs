//! A poll with an owner and many participants in one process, with everything that can go wrong.
//!
//! It is made to be copied from. A consumer of hustings chooses a transport and a store and joins
//! them, which is what [`cast`] does: here over the in-memory network, which can be broken at
//! will, and on redb. In earnest the transport is another one and the rest stays as it is.
//!
//! - [`cli`]: the options, and the poll from its file
//! - [`cast`]: who plays: identities, stores, and the tasks that drive them
//! - [`follow`]: the events of one participant
//! - [`booth`]: one participant who gives many votes
//! - [`keep`]: the identity and the polls of a store, in a file and from it
//! - [`scenes`]: what they do, and what goes wrong, act by act
//! - [`narrate`]: how that looks in a terminal
//! - [`count`]: the votes as they were given, and the count that the library's is held against
//!
//! The exit code is 0 when everything agreed, 1 when something did not, and 2 when it could not
//! begin: the poll or the folder is no good.

mod booth;
mod cast;
mod cli;
mod count;
mod follow;
mod keep;
mod narrate;
mod scenes;

use std::process::ExitCode;

use clap::Parser;
use futures::executor::block_on;

use crate::narrate::Narrator;

fn main() -> ExitCode {
    let options = cli::Options::parse();
    if let Some(command) = &options.keep {
        return match block_on(keep::run(command)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::from(2)
            }
        };
    }
    let draft = match cli::read_poll(options.poll.as_deref()) {
        Ok(draft) => draft,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    let narrator = Narrator::new(options.plain);
    match block_on(scenes::play(&options, draft, &narrator)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(if error.is_outside() { 2 } else { 1 })
        }
    }
}

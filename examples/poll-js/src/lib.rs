//! The library for JavaScript and TypeScript: `Hustings`, one tab of a polling app, and its
//! `Room`s.
//!
//! `cargo xtask package` builds it as an npm package (in `pkg`), with types (`types.ts` has those
//! that are not classes). The crate `tab` wires the parts together; this one only translates.
//! Values go out as plain objects with the names that they have on the wire. A failure is an
//! `Error` with a sentence for people and a `code` for programs (`Failure`).
//!
//! JavaScript drops nothing, and a garbage collector must not decide when somebody leaves: the app
//! and its rooms live until they are closed, or as long as the page.

#![cfg(target_family = "wasm")]

mod arguments;
mod changes;
mod failure;
mod guard;
mod hustings;
mod invitations;
mod keep;
mod kept;
mod options;
mod room;
mod submitted;
mod values;

pub use failure::Failure;
pub use hustings::Hustings;
pub use room::Room;
pub use submitted::Submitted;

/// The types of what are plain objects.
#[wasm_bindgen::prelude::wasm_bindgen(typescript_custom_section)]
const TYPES: &str = include_str!("types.ts");

//! The web app, used as people use it: by what they read on it, with the mouse and the keyboard.
//!
//! Whatever happens in a scenario, at its end every profile shows the same result, and nothing is
//! pending ([`Poll::agrees`](hustings_e2e::Poll::agrees)). What was to be seen at its decisive
//! moment is in `target/e2e/pictures`.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod accessible;
mod away;
mod copies;
mod damaged;
mod deadline;
mod insecure;
mod invited;
mod kept;
mod member;
mod moderation;
mod moved;
mod native;
mod network;
mod overdue;
mod own;
mod parts;
mod plain;
mod roles;
mod screen;
mod secret;
mod sending;
mod session;
mod settings;
mod tabs;
mod terminal;
mod typing;
mod votes;

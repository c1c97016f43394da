//! The code on the repository's front page, compiled and run as tests of this crate.
//!
//! A published crate cannot do it: a file above its own folder is not in its package.

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

//! Bounds: the time after which something that is waited for counts as failed.
//!
//! Nothing is measured with these. What is fast on an idle machine takes many times as long on one
//! that compiles beside it, so each is far above what is ever needed, and only a scenario that
//! fails takes so long.

use std::time::Duration;

/// For what is not about a time limit of the library's or of the browser's.
pub const SOON: Duration = Duration::from_secs(30);

/// Until a peer that died without a word is given up. Chromium takes 15 to 17 seconds to.
pub const NOTICED: Duration = Duration::from_secs(60);

/// Until somebody is connected again: the longest wait before the next attempt is 30 seconds, and
/// an attempt may take 10 more.
pub const BACK: Duration = Duration::from_secs(90);

/// Until a page that was asked for is there, and its code has run.
pub(crate) const LOADED: Duration = Duration::from_secs(60);

/// Until a script is done. The largest make thousands of changes, each of which is on the disk
/// before it counts.
pub(crate) const SCRIPT: Duration = Duration::from_secs(170);

/// Until a browser answers, the time that scripts take included.
pub(crate) const ANSWER: Duration = Duration::from_secs(180);

/// Until a browser has shown what it looks like, when that is all that is left to do.
pub(crate) const EVIDENCE: Duration = Duration::from_secs(20);

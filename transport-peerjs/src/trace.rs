//! Events for a subscriber of the app's, with the feature `tracing`; without it nothing at all.
//!
//! No secret is in any of them: a peer id is cut to its first characters, and texts that come from
//! elsewhere are cut before anything that looks like a line of a session description. Tokens, keys
//! and frames are not even asked for.

/// Does something with the feature `tracing`, and otherwise is not there.
macro_rules! trace {
    ($($code:tt)*) => {
        #[cfg(feature = "tracing")]
        {
            $($code)*
        }
    };
}

pub(crate) use trace;

#[cfg(feature = "tracing")]
pub(crate) mod links;
#[cfg(feature = "tracing")]
pub(crate) mod texts;

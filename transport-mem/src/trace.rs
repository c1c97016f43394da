//! Events for a subscriber of the app's, with the feature `tracing`; without it nothing at all.
//!
//! They are the transport's, not the network's: a simulation that does without transports does not
//! pay for them.

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

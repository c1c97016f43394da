//! Parts of the page that are loaded when they are first shown, and not before one can vote.
//!
//! The code that only functions with `wasm_split` need is in files of its own, one for each word:
//! `host` for those who ask, `side` for what stands beside a ballot, `keep` for polls as a file.

use futures::FutureExt;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_split_helpers::SplitLoaderError;

use crate::words::MISSING;

/// A part did not arrive.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Missing;

impl From<SplitLoaderError> for Missing {
    fn from(_: SplitLoaderError) -> Self {
        Self
    }
}

/// The view that a function of such a part returns.
pub(crate) type Part = Result<AnyView, Missing>;

/// Shows a part once it is loaded. If it does not arrive, it is asked for again when somebody wants
/// that: the page need not be loaded anew, which would end what it hosts.
pub(crate) fn later<F>(
    load: impl AsyncFn() -> Result<(), SplitLoaderError> + Copy + Send + Sync + 'static,
    show: impl Fn() -> F + Send + 'static,
) -> impl IntoView
where
    F: Future<Output = Part>,
{
    let is_there = RwSignal::new(None::<bool>);
    let ask = move || {
        is_there.set(None);
        spawn_local(async move {
            let loaded = load().await;
            is_there.try_set(Some(loaded.is_ok()));
        });
    };
    ask();
    move || match is_there.get() {
        None => ().into_any(),
        // What is loaded does not wait for anything.
        Some(true) => untrack(|| show().now_or_never())
            .and_then(Result::ok)
            .into_any(),
        Some(false) => view! {
            <p class="banner problem" role="alert">
                {MISSING} " "
                <button on:click=move |_| ask()>"Try again"</button>
            </p>
        }
        .into_any(),
    }
}

//! The storage that the browser grants to the page's origin.

use js_sys::Promise;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::StorageManager;

use crate::StoreError;
use crate::browser::{describe, navigator};

/// The result of [`IndexedDbStore::estimate`](super::IndexedDbStore::estimate).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StorageEstimate {
    /// The bytes that this site's data take, all databases and caches together.
    pub usage: u64,
    /// The bytes that they may take.
    pub quota: u64,
}

pub(super) async fn persist() -> Result<bool, StoreError> {
    Ok(ask(StorageManager::persist).await?.is_truthy())
}

pub(super) async fn estimate() -> Result<StorageEstimate, StoreError> {
    let answer: web_sys::StorageEstimate = ask(StorageManager::estimate).await?.unchecked_into();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "numbers of bytes are neither negative nor fractions"
    )]
    let bytes = |number: Option<f64>| number.unwrap_or(0.0) as u64;
    Ok(StorageEstimate {
        usage: bytes(answer.get_usage()),
        quota: bytes(answer.get_quota()),
    })
}

async fn ask(
    question: impl Fn(&StorageManager) -> Result<Promise, JsValue>,
) -> Result<JsValue, StoreError> {
    let unavailable = |thrown: JsValue| StoreError::Unavailable(describe(&thrown));
    let Some(storage) = navigator("storage") else {
        return Err(StoreError::Unavailable(
            "only pages on https or localhost have access to the browser's storage".to_owned(),
        ));
    };
    let promise = question(storage.unchecked_ref()).map_err(unavailable)?;
    JsFuture::from(promise).await.map_err(unavailable)
}

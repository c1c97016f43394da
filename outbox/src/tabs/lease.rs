//! A lock made of the store and of messages between tabs, for pages that have no Web Locks: those
//! by plain HTTP, from another machine than this.
//!
//! The holder of a place has its claim in the store ([`Claim`]), and a record beside it that is
//! there for as long as the holder is. One that is gone without a word has left that record; so
//! whoever wants the place asks, and a tab that lives answers. A tab that is frozen does not, and
//! loses its place: when it wakes, its claim holds no more, and it writes nothing.

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;

use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::{Either, select};
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use wasm_bindgen_futures::spawn_local;
use web_sys::{BroadcastChannel, MessageEvent};

use super::claim::{Claim, Holder};
use super::{NoLocks, TabError};
use crate::browser::{describe, pause};
use crate::{Batch, Durability, Store, StoreError};

/// The seconds that a tab has to say that it is there. One that does not is taken for gone. They
/// are waited for one by one: of time that was slept through only one has passed then, and whoever
/// wakes at the same time has the others to answer.
const SECONDS: u32 = 3;

/// A place that is held, until this is dropped.
pub(super) struct Lease {
    store: Rc<dyn Store>,
    claim: Rc<Claim>,
    _answers: Channel,
}

impl Lease {
    /// Takes the place; `None` while another tab has it.
    pub(super) async fn try_take(
        store: &Rc<dyn Store>,
        claim: &Rc<Claim>,
    ) -> Result<Option<Self>, TabError> {
        // Once more only after somebody else has changed the record, so somebody gets on.
        loop {
            if let Some(other) = claim.other().await {
                let is_present = store.get(&claim.presence(other)).await?.is_some();
                if is_present && answers(claim, other).await? {
                    return Ok(None);
                }
            }
            if let Some(lease) = Self::make(store, claim).await? {
                return Ok(Some(lease));
            }
            claim.look_again(store).await?;
        }
    }

    /// Takes the place again; `None` if another tab has had it meanwhile.
    pub(super) async fn take_again(
        store: &Rc<dyn Store>,
        claim: &Rc<Claim>,
    ) -> Result<Option<Self>, TabError> {
        Self::make(store, claim).await
    }

    async fn make(store: &Rc<dyn Store>, claim: &Rc<Claim>) -> Result<Option<Self>, TabError> {
        // It answers before anybody can ask, and whatever is stored is taken back when it is
        // dropped.
        let lease = Self {
            store: Rc::clone(store),
            claim: Rc::clone(claim),
            _answers: Channel::answering(claim)?,
        };
        Ok(claim.make(store).await?.then_some(lease))
    }
}

impl Drop for Lease {
    /// Frees the place at once for whoever comes next. If that does not get through, they ask, and
    /// nobody answers.
    fn drop(&mut self) {
        let mut batch = Batch::new();
        // The record has a key of this holder's: it is nobody else's, whoever has the place by now.
        batch.delete(self.claim.presence(self.claim.holder()));
        let store = Rc::clone(&self.store);
        let mut left = async move { store.commit(batch, Durability::Relaxed).await }.boxed_local();
        // Begun at once: a page that is on its way out does not come to anything later, and whoever
        // takes the place next in this page comes after.
        if (&mut left).now_or_never().is_none() {
            spawn_local(left.map(|_: Result<(), StoreError>| ()));
        }
    }
}

/// Asks whether a holder is still there.
async fn answers(claim: &Claim, holder: Holder) -> Result<bool, NoLocks> {
    let (tell, told) = oneshot::channel();
    let (tell, here) = (Cell::new(Some(tell)), said(HERE, holder));
    let channel = Channel::open(&claim.name().channel(), move |_, heard| {
        if heard == here
            && let Some(tell) = tell.take()
        {
            // Whoever does not wait any more does not need to know.
            let _ = tell.send(());
        }
    })?;
    say(&channel.port, &said(ASK, holder));
    let silence = pin!(async {
        for _ in 0..SECONDS {
            pause(1000).await;
        }
    });
    match select(told, silence).await {
        Either::Left(_) => Ok(true),
        Either::Right(((), _)) => Ok(false),
    }
}

/// "Is this holder there?"
const ASK: &str = "ask";
/// "I am."
const HERE: &str = "here";

fn said(word: &str, holder: Holder) -> String {
    format!("{word} {}", holder.text())
}

/// The channel on which the tabs of a profile talk, until it is dropped. What is said on it is
/// heard on every other one of that name, in this tab, too.
struct Channel {
    port: BroadcastChannel,
    heard: Closure<dyn Fn(MessageEvent)>,
}

impl Channel {
    /// One that says for this holder that it is there.
    fn answering(claim: &Claim) -> Result<Self, NoLocks> {
        let (ask, here) = (said(ASK, claim.holder()), said(HERE, claim.holder()));
        Self::open(&claim.name().channel(), move |port, heard| {
            if heard == ask {
                say(port, &here);
            }
        })
    }

    fn open(
        name: &str,
        heard: impl Fn(&BroadcastChannel, &str) + 'static,
    ) -> Result<Self, NoLocks> {
        let port = BroadcastChannel::new(name).map_err(|thrown| {
            NoLocks(format!(
                "this page has no Web Locks, as it is neither https nor localhost, and it cannot \
                 talk to its other tabs either: {}",
                describe(&thrown)
            ))
        })?;
        let own = port.clone();
        let heard = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
            if let Some(text) = event.data().as_string() {
                heard(&own, &text);
            }
        });
        port.set_onmessage(Some(heard.as_ref().unchecked_ref()));
        Ok(Self { port, heard })
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.port.set_onmessage(None);
        self.port.close();
        // Nobody calls it any more.
        let _ = &self.heard;
    }
}

fn say(port: &BroadcastChannel, text: &str) {
    // Only a channel that is closed refuses a text, and nobody waits at that one.
    let _ = port.post_message(&text.into());
}

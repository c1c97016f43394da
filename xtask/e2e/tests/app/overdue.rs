//! A browser that does not answer when it is asked for what it has stored, or for a lock.

use hustings_e2e::bounds::SOON;
use hustings_e2e::scenario;
use serde_json::json;

use crate::member::{Device, Member, Poll, result};

/// As long as `deaf` is set, no database is opened, or no lock granted.
const DEAF: [&str; 2] = [
    "{ const real = IDBFactory.prototype.open
      window.deaf = true
      IDBFactory.prototype.open = function (...of) { return deaf ? new EventTarget() : real.apply(this, of) } }",
    "{ const real = LockManager.prototype.request
      window.deaf = true
      LockManager.prototype.request = function (...of) {
        return deaf ? new Promise(() => {}) : real.apply(this, of) } }",
];

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_browser_that_does_not_answer_is_said_and_waited_for() {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        for (source, option) in DEAF.into_iter().zip(["Thai", "Pizza"]) {
            let bob = Member::enter_on(world, option, Device::Phone).await?;
            let add = "Page.addScriptToEvaluateOnNewDocument";
            bob.tab.devtools(add, json!({ "source": source })).await?;
            bob.goes_to(&poll.link).await?;
            bob.sees("The stored data is not there yet", SOON).await?;
            bob.sees("the browser does not answer", SOON).await?;
            bob.shows(world, "overdue").await?;
            bob.sees("start the browser again", SOON).await?;
            bob.sees("Load again", SOON).await?;

            // Nobody has to do anything once it answers.
            bob.tab.run::<()>("window.deaf = false").await?;
            bob.is_connected(SOON).await?;
            bob.votes_for(option).await?;
            bob.sees("Your vote is counted", SOON).await?;
        }
        poll.agrees(&[], result(&[("Thai", 1), ("Pizza", 1)])).await
    });
}

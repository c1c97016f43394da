//! Somebody with the client in plain JavaScript, on stock PeerJS, which keeps all that it is told.

use std::sync::Arc;

use hustings_e2e::bounds::SOON;
use hustings_e2e::{Person, Tab, World};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::member::Poll;

/// Somebody who only listens: they never vote.
pub(crate) struct Plain {
    _person: Arc<Person>,
    pub(crate) tab: Tab,
}

/// All that came to the page, and the ids of the options by which a choice would be told.
#[derive(Deserialize)]
struct Heard {
    options: Vec<String>,
    channels: Vec<String>,
    sockets: Vec<String>,
}

impl Plain {
    /// Joins a poll, and is let in.
    pub(crate) async fn join(world: &World, poll: &Poll<'_>) -> anyhow::Result<Self> {
        let person = world.person("a listener").await?;
        let tab = person.open(&world.page("plain.html")).await?;
        tab.run_with::<()>("await join(arg)", &poll.link).await?;
        let is_in = "client.state.name === 'connected' && client.poll !== undefined";
        tab.wait_for("the poll", is_in, SOON).await?;
        let _person = person;
        Ok(Self { _person, tab })
    }

    /// Waits until it has these votes.
    pub(crate) async fn counts(&self, votes: &[(&str, u64)]) -> anyhow::Result<()> {
        let what = "what the plain client is told";
        self.tab.wait_to_be(what, "votes()", votes, SOON).await?;
        Ok(())
    }

    /// Nothing that has come to it says what somebody chose: an option is named in the list of the
    /// options, and where it is changed, and nowhere else.
    pub(crate) async fn was_told_nobodys_choice(&self) -> anyhow::Result<()> {
        let all = "const options = client.poll.options.map(({ optionId }) => optionId)
            return { options, ...heard }";
        let heard: Heard = self.tab.run(all).await?;
        assert!(!heard.channels.is_empty(), "nothing was kept");
        for text in &heard.sockets {
            for option in &heard.options {
                assert!(!text.contains(option), "the signalling server: {text}");
            }
        }
        for text in &heard.channels {
            let message = serde_json::from_str(text)?;
            let messages = match message {
                Value::Array(messages) => messages,
                message @ (Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::String(_)
                | Value::Object(_)) => vec![message],
            };
            for message in &messages {
                check(message, &heard.options);
            }
        }
        Ok(())
    }
}

/// Checks one message, with the updates that are in it.
fn check(message: &Value, options: &[String]) {
    let updates = message["payload"]["updates"].as_array();
    for update in updates.into_iter().flatten() {
        check(update, options);
    }
    let kind = &message["type"];
    assert_ne!(kind, "poll:vote", "somebody's vote: {message}");
    let mut rest = message.clone();
    if let Some(updates) = rest.pointer_mut("/payload/updates") {
        *updates = Value::Null;
    }
    if kind == "poll:state" {
        for member in rest["payload"]["members"].as_object().into_iter().flatten() {
            assert!(member.1.get("choices").is_none(), "a choice: {message}");
        }
        rest["payload"]["options"] = Value::Null;
    }
    if kind == "poll:option:add" || kind == "poll:option:update" {
        rest["payload"]["optionId"] = json!(null);
    }
    let rest = rest.to_string();
    for option in options {
        assert!(!rest.contains(option), "an option in {message}");
    }
}

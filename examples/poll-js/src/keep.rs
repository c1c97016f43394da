//! The identity and its polls in a file, and polls that are put aside.

use hustings_browser::{Aside, Intent, Outcome};
use js_sys::Uint8Array;
use serde::Serialize;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};

use crate::arguments;
use crate::failure::Failure;
use crate::hustings::Hustings;
use crate::values;

/// A poll that is put aside. `types.ts` says the same.
#[derive(Serialize)]
struct AsidePoll {
    link: String,
    title: String,
    reason: &'static str,
    at: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Imported {
    is_new_identity: bool,
    polls: Vec<ImportedPoll>,
}

#[derive(Serialize)]
struct ImportedPoll {
    link: String,
    outcome: &'static str,
}

#[wasm_bindgen]
impl Hustings {
    /// A file with the identity and these polls, encrypted with a passphrase: an `age` file.
    /// Whoever has both is this user. The page stands still for about a second.
    ///
    /// With `"move"` the polls are to be hosted where the file is imported: here they are closed,
    /// and refused from then on, until they are imported back or `takeBack` is called. With
    /// `"copy"` they go on here.
    ///
    /// # Errors
    ///
    /// `bad-argument`; `no-journal` for a poll that is not kept here; those of `host`; `storage-…`.
    #[wasm_bindgen(js_name = exportPolls)]
    pub async fn export_polls(
        &self,
        #[wasm_bindgen(unchecked_param_type = "string")] passphrase: JsValue,
        #[wasm_bindgen(unchecked_param_type = "string[]")] links: JsValue,
        #[wasm_bindgen(unchecked_param_type = "\"copy\" | \"move\"")] intent: JsValue,
    ) -> Result<Uint8Array, Failure> {
        let passphrase = arguments::text(&passphrase, "the passphrase")?;
        let links: Vec<String> = values::from_js(&links, "the links")?;
        let links = links.iter().map(|link| arguments::link(&link.into()));
        let links = links.collect::<Result<Vec<_>, _>>()?;
        let intent = match arguments::text(&intent, "the intent")?.as_str() {
            "copy" => Intent::Copy,
            "move" => Intent::Move,
            _ => {
                return Err(Failure::argument(
                    "the intent",
                    "it is \"copy\" or \"move\"",
                ));
            }
        };
        let app = self.tab.app()?;
        let file = app.export(passphrase, &links, intent).await?;
        Ok(Uint8Array::from(&file[..]))
    }

    /// Takes a file in, all of it or nothing. Rooms that this instance hosts are closed by it;
    /// `host` hosts again. The page stands still for about a second.
    ///
    /// # Errors
    ///
    /// `bad-argument`; `wrong-passphrase`; `bad-file` for one that is damaged, too new or something
    /// else; `other-identity` where another one has stored something; `poll-forked` for a poll that
    /// has gone on at two places; `hosted-elsewhere`; `storage-…`.
    #[wasm_bindgen(js_name = importPolls, unchecked_return_type = "Imported")]
    pub async fn import_polls(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Uint8Array")] file: JsValue,
        #[wasm_bindgen(unchecked_param_type = "string")] passphrase: JsValue,
    ) -> Result<JsValue, Failure> {
        let file: Uint8Array = file
            .dyn_into()
            .map_err(|_| Failure::argument("the file", "it must be a Uint8Array"))?;
        let passphrase = arguments::text(&passphrase, "the passphrase")?;
        let imported = self.tab.app()?.import(&file.to_vec(), passphrase).await?;
        let polls = imported.polls.into_iter();
        let polls = polls.map(|(link, outcome)| ImportedPoll {
            link: link.to_string(),
            outcome: match outcome {
                Outcome::Added => "added",
                Outcome::Advanced => "advanced",
                Outcome::Same => "same",
                Outcome::Newer => "newer",
            },
        });
        Ok(values::to_js(&Imported {
            is_new_identity: imported.is_new_identity,
            polls: polls.collect(),
        }))
    }

    /// The user's own polls that are stored and not hosted, because they were moved or archived.
    ///
    /// # Errors
    ///
    /// `storage-…`: nothing can be read.
    #[wasm_bindgen(unchecked_return_type = "AsidePoll[]")]
    pub async fn aside(&self) -> Result<JsValue, Failure> {
        let polls = self.tab.app()?.polls().await?.aside.into_iter();
        let polls = polls.filter_map(|(poll, why)| {
            let (reason, at) = match why {
                Aside::Moved { at } => ("moved", at),
                Aside::Archived { at } => ("archived", at),
                _ => return None,
            };
            Some(AsidePoll {
                link: poll.link.to_string(),
                title: poll.title,
                reason,
                at,
            })
        });
        Ok(values::to_js(&polls.collect::<Vec<_>>()))
    }

    /// Archives a poll of the user's own: it stays stored and is not hosted.
    ///
    /// # Errors
    ///
    /// `bad-argument` for an invalid link; `no-journal`; those of `host`.
    pub async fn archive(
        &self,
        #[wasm_bindgen(unchecked_param_type = "string")] link: JsValue,
    ) -> Result<(), Failure> {
        let link = arguments::link(&link)?;
        Ok(self.tab.app()?.archive(link).await?)
    }

    /// Hosts a poll again that was archived, or moved away and not opened anywhere else: where two
    /// host one poll, votes are lost.
    ///
    /// # Errors
    ///
    /// `bad-argument` for an invalid link; `no-journal`; those of `host`.
    #[wasm_bindgen(js_name = takeBack)]
    pub async fn take_back(
        &self,
        #[wasm_bindgen(unchecked_param_type = "string")] link: JsValue,
    ) -> Result<(), Failure> {
        let link = arguments::link(&link)?;
        Ok(self.tab.app()?.take_back(link).await?)
    }
}

//! A command on its way.

use futures::FutureExt;
use futures::future::{LocalBoxFuture, Shared};
use hustings_protocol::{CommandId, Outcome};
use hustings_room::driver::{self, CallError};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::arguments::unless_aborted;
use crate::failure::Failure;
use crate::values::{self, Ended};

/// A command that is on the disk of this device, and will be sent until the owner has answered it.
#[wasm_bindgen]
pub struct Submitted {
    command_id: CommandId,
    outcome: Shared<LocalBoxFuture<'static, Result<Outcome, CallError>>>,
}

impl From<driver::Submitted> for Submitted {
    fn from(submitted: driver::Submitted) -> Self {
        Self {
            command_id: submitted.command_id(),
            outcome: submitted.outcome().boxed_local().shared(),
        }
    }
}

#[wasm_bindgen]
impl Submitted {
    /// The command's name, by which `pending` and the events call it.
    #[wasm_bindgen(getter, js_name = commandId)]
    #[must_use]
    pub fn command_id(&self) -> String {
        self.command_id.to_string()
    }

    /// Resolves with the owner's answer, however long that takes. A refusal is an answer, too.
    ///
    /// # Errors
    ///
    /// `closed` when the room is closed first. The command is still kept, and sent the next time.
    /// `aborted` if nobody waits any more, of which it is the same.
    #[wasm_bindgen(unchecked_return_type = "Outcome")]
    pub async fn outcome(
        &self,
        #[wasm_bindgen(unchecked_optional_param_type = "CallOptions")] options: JsValue,
    ) -> Result<JsValue, Failure> {
        let outcome = self.outcome.clone();
        let outcome = unless_aborted(&options, async { Ok(outcome.await?) }).await?;
        Ok(values::to_js(&Ended::from(outcome)))
    }
}

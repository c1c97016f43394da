//! Invitations: made, withdrawn and redeemed.

use hustings_protocol::{
    Command, InvitationId, InvitationIssue, InvitationRedemption, InvitationSecret,
    InvitationWithdrawal, Outcome, RoomLink,
};
use js_sys::Array;
use serde::Serialize;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::arguments::{check_signal, text};
use crate::failure::Failure;
use crate::hustings::Hustings;
use crate::room::Room;
use crate::values;

#[derive(Serialize)]
struct Invitations {
    issued: u32,
    used: u32,
    withdrawn: u32,
    list: Vec<Invitation>,
}

#[derive(Serialize)]
struct Invitation {
    id: InvitationId,
    withdrawn: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    used: Option<bool>,
}

#[derive(Serialize)]
struct Parsed {
    link: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    invitation: Option<InvitationSecret>,
}

#[wasm_bindgen]
impl Hustings {
    /// The link in a text, as `join` finds it, and the secret of the invitation in it if it has
    /// one.
    ///
    /// # Errors
    ///
    /// `bad-argument` for a text without a link, with a part of one, or with several.
    #[wasm_bindgen(js_name = parseLink, unchecked_return_type = "ParsedLink")]
    pub fn parse_link(
        #[wasm_bindgen(unchecked_param_type = "string")] link: JsValue,
    ) -> Result<JsValue, Failure> {
        let link = found(&text(&link, "the link")?)?;
        Ok(values::to_js(&Parsed {
            link: link.room.to_string(),
            invitation: link.invitation,
        }))
    }
}

#[wasm_bindgen]
impl Room {
    /// The numbers of the confirmed poll's invitations, and on the hosting device each of them in
    /// the order of issue; `undefined` where everybody may vote.
    #[wasm_bindgen(unchecked_return_type = "Invitations | undefined")]
    #[must_use]
    pub fn invitations(&self) -> JsValue {
        let poll = self.room.confirmed();
        let counted = poll.and_then(|poll| {
            let counts = poll.invitations()?;
            let list = poll.issued().into_iter().map(|one| Invitation {
                id: one.id,
                withdrawn: one.withdrawn,
                used: one.used,
            });
            Some(Invitations {
                issued: counts.issued,
                used: counts.used,
                withdrawn: counts.withdrawn,
                list: list.collect(),
            })
        });
        values::optional(counted.as_ref())
    }

    /// Makes so many invitations, at most 256 at once and 10,000 in a poll, and resolves with their
    /// links once they are kept. The device keeps only hashes: nobody can have a link again. For
    /// the host only.
    ///
    /// # Errors
    ///
    /// `bad-argument` for what is no such number; `poll-full`, `not-allowed`; and those of `vote`.
    #[wasm_bindgen(js_name = issueInvitations, unchecked_return_type = "string[]")]
    pub async fn issue_invitations(
        &self,
        #[wasm_bindgen(unchecked_param_type = "number")] count: JsValue,
        #[wasm_bindgen(unchecked_optional_param_type = "CallOptions")] options: JsValue,
    ) -> Result<JsValue, Failure> {
        check_signal(&options)?;
        let most = hustings_protocol::Limits::default().max_invitations_at_once;
        let count: usize = values::from_js(&count, "the number of invitations")?;
        if !(1..=most).contains(&count) {
            let why = format!("it must be from 1 to {most}");
            return Err(Failure::argument("the number of invitations", why));
        }
        let secret = |_| {
            let mut bytes = [0; 16];
            getrandom::fill(&mut bytes).map_err(|error| Failure::new("no-randomness", error))?;
            Ok(InvitationSecret::from_bytes(bytes))
        };
        let secrets: Vec<_> = (0..count).map(secret).collect::<Result<_, Failure>>()?;
        let room = self.room.id();
        let issue = InvitationIssue {
            poll_id: room.poll_id,
            invitations: secrets.iter().map(|it| it.id(room.poll_id)).collect(),
            count: 0,
        };
        let submitted = self.room.submit(Command::IssueInvitations(issue)).await?;
        if let Outcome::Rejected(why) = submitted.outcome().await? {
            return Err(why.into());
        }
        let link = |secret| {
            let invitation = Some(secret);
            JsValue::from(RoomLink { room, invitation }.to_string())
        };
        Ok(secrets.into_iter().map(link).collect::<Array>().into())
    }

    /// Withdraws invitations, by their ids or their links, at most 256 at once. Whoever has used
    /// one is a voter all the same. For the host only.
    ///
    /// # Errors
    ///
    /// See `vote`.
    #[wasm_bindgen(js_name = withdrawInvitations, unchecked_return_type = "Submitted")]
    pub async fn withdraw_invitations(
        &self,
        #[wasm_bindgen(unchecked_param_type = "readonly string[]")] invitations: JsValue,
        #[wasm_bindgen(unchecked_optional_param_type = "CallOptions")] options: JsValue,
    ) -> Result<JsValue, Failure> {
        let named: Vec<String> = values::from_js(&invitations, "the invitations")?;
        let id = |named: &String| match named.parse::<InvitationId>() {
            Ok(id) => Ok(id),
            Err(_) => Ok(self.secret(named)?.id(self.room.id().poll_id)),
        };
        let withdrawal = InvitationWithdrawal {
            poll_id: self.room.id().poll_id,
            invitations: named.iter().map(id).collect::<Result<_, Failure>>()?,
            count: 0,
        };
        let command = Command::WithdrawInvitations(withdrawal);
        self.submit(command, &options).await
    }

    /// Redeems an invitation, by its link or its secret: the user may vote from then on.
    ///
    /// # Errors
    ///
    /// See `vote`. The outcome may be refused with `unknown-invitation`, `invitation-used`,
    /// `invitation-withdrawn`, or `not-allowed` for somebody who may vote already.
    #[wasm_bindgen(unchecked_return_type = "Submitted")]
    pub async fn redeem(
        &self,
        #[wasm_bindgen(unchecked_param_type = "string")] invitation: JsValue,
        #[wasm_bindgen(unchecked_optional_param_type = "CallOptions")] options: JsValue,
    ) -> Result<JsValue, Failure> {
        let named = text(&invitation, "the invitation")?;
        let secret = match named.parse() {
            Ok(secret) => secret,
            Err(_) => self.secret(&named)?,
        };
        let redemption = InvitationRedemption {
            poll_id: self.room.id().poll_id,
            secret: Some(secret),
        };
        let command = Command::RedeemInvitation(redemption);
        self.submit(command, &options).await
    }
}

impl Room {
    /// The secret in the link of an invitation to this poll.
    fn secret(&self, text: &str) -> Result<InvitationSecret, Failure> {
        let wrong = |why| Failure::argument("the invitation", why);
        let link = found(text)?;
        if link.room != self.room.id() {
            return Err(wrong("it is to another poll"));
        }
        link.invitation
            .ok_or_else(|| wrong("the link has no invitation in it"))
    }
}

fn found(text: &str) -> Result<RoomLink, Failure> {
    RoomLink::find(text).map_err(|error| Failure::argument("the link", error))
}

//! What is typed, and what stays of it.

use hustings_e2e::bounds::SOON;
use hustings_e2e::scenario;
use serde_json::json;

use crate::member::{Device, Member, Poll};

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn enter_that_ends_a_composition_stays_in_its_field() {
    scenario(async |world| {
        let ann = Member::enter_on(world, "ann", Device::Desktop).await?;
        ann.goes_to(&world.app()?).await?;
        ann.sees("New poll", SOON).await?;
        let enter = "document.getElementById('option-1').focus();
            const enter = { key: 'Enter', bubbles: true, cancelable: true, ...arg };
            document.activeElement.dispatchEvent(new KeyboardEvent('keydown', enter));
            return document.activeElement.id";
        for composing in [json!({ "isComposing": true }), json!({ "keyCode": 229 })] {
            let stays: String = ann.tab.run_with(enter, composing).await?;
            assert_eq!(stays, "option-1");
        }
        let goes_on: String = ann.tab.run_with(enter, json!({})).await?;
        assert_eq!(goes_on, "option-2");
        Ok(())
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_refused_option_is_still_there_to_be_changed_and_a_role_is_one_line() {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let bob = poll.join("bob").await?;
        bob.adds("Thai").await?;
        bob.sees("was refused", SOON).await?;
        let field = "document.getElementById('add-option').value";
        bob.tab.wait_to_be("the field", field, "Thai", SOON).await?;

        let name = "W".repeat(64);
        bob.is_called(&name).await?;
        bob.sees(&name, SOON).await?;
        let narrow = json!({ "width": 320, "height": 700, "deviceScaleFactor": 1, "mobile": true });
        bob.tab
            .devtools("Emulation.setDeviceMetricsOverride", narrow)
            .await?;
        let lines = "[...document.querySelectorAll('.role')].every(role => role.getClientRects().length === 1
            && role.getBoundingClientRect().height < 2 * parseFloat(getComputedStyle(role).fontSize))";
        bob.tab.wait_for("whole words", lines, SOON).await?;
        let fits = "document.documentElement.scrollWidth <= 320";
        bob.tab.wait_for("the page fits", fits, SOON).await?;
        Ok(())
    });
}

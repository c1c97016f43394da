//! Typing, and what stays of it.

use hustings_e2e::bounds::{BACK, SOON};
use hustings_e2e::scenario;
use serde_json::json;

use crate::member::{Device, Member, Poll, create};
use crate::screen;

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

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_pasted_list_becomes_options_and_nothing_is_cut() {
    scenario(async |world| {
        let ann = Member::enter_on(world, "ann", Device::Phone).await?;
        ann.goes_to(&world.app()?).await?;
        ann.sees("New poll", SOON).await?;
        ann.types(&screen::field("Option 1"), "Water").await?;
        ann.types(&screen::field("Option 2"), "Te").await?;
        ann.tab
            .run_with::<()>(screen::PASTE, "a\r\nCoffee\n\n Mate \nMilk")
            .await?;
        let options = "[...document.querySelectorAll('.lines input')].map(option => option.value)";
        let pasted = json!(["Water", "Tea", "Coffee", "Mate", "Milk"]);
        ann.tab
            .wait_to_be("the options", options, pasted, SOON)
            .await?;
        let at = "document.activeElement.id";
        let last = "the last of them has the keyboard";
        ann.tab.wait_to_be(last, at, "option-5", SOON).await?;

        // What is too long stays, and is told beside its field while it is typed.
        let long = "a".repeat(250);
        ann.types(&screen::field("Option 1"), &long).await?;
        let told = "document.getElementById('option-1-problem').innerText";
        let why = "Too long: 250 characters, and 200 is the most.";
        ann.tab.wait_to_be("the fault", told, why, SOON).await?;
        ann.types(&screen::field("Question"), "Which?").await?;
        ann.clicks(&screen::button("Create poll")).await?;
        let stays = "the field to be changed";
        ann.tab.wait_to_be(stays, at, "option-1", SOON).await?;
        let kept = "document.activeElement.value.length";
        ann.tab.wait_to_be("all of it", kept, 250, SOON).await?;
        // A thousand are the most.
        let many: String = (0..1_001).map(|number| format!("{number}\n")).collect();
        ann.tab.run_with::<()>(screen::PASTE, many).await?;
        let left = "document.querySelectorAll('.lines input').length";
        ann.tab.wait_to_be("the options", left, 5, SOON).await?;

        ann.types(&screen::field("Option 1"), "Water").await?;
        ann.clicks(&screen::button("Create poll")).await?;
        let votes: Vec<_> = ["Water", "Tea", "Coffee", "Mate", "Milk"]
            .map(|option| (option, 0))
            .into();
        let shown = "screen_of.votes()";
        ann.tab.wait_to_be("the poll", shown, votes, SOON).await?;

        // In the poll one option is sent at a time, and no two are made one.
        ann.clicks("#add-option").await?;
        ann.tab.run_with::<()>(screen::PASTE, "Juice\nBeer").await?;
        ann.sees("That has 2 lines.", SOON).await?;
        Ok(())
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn the_answer_to_a_vote_is_in_sight_of_whoever_votes_for_the_last_of_many() {
    scenario(async |world| {
        let ann = Member::enter_on(world, "ann", Device::Desktop).await?;
        ann.goes_to(&world.app()?).await?;
        ann.sees("New poll", SOON).await?;
        ann.types(&screen::field("Question"), "Which?").await?;
        ann.clicks(&screen::field("Option 1")).await?;
        let many: String = (1..=25).map(|number| format!("Dish {number}\n")).collect();
        ann.tab.run_with::<()>(screen::PASTE, many).await?;
        let poll = create(world, ann).await?;
        let bob = poll.join("bob").await?;
        // The vote is under way when the poll closes.
        bob.tab.fall_silent().await?;
        bob.votes_for("Dish 25").await?;
        bob.is_sending().await?;
        poll.owner.clicks(&screen::button("Close the poll")).await?;
        bob.sees("This poll is closed", SOON).await?;
        bob.tab.cut_and_speak().await?;
        bob.sees("Your last vote was refused", BACK).await?;

        let far_down = "scrollY > innerHeight";
        bob.tab.wait_for("a page far down", far_down, SOON).await?;
        let in_sight = "[...document.querySelectorAll('[data-testid=refused]')].some(notice => {
            const { top, bottom } = notice.getBoundingClientRect();
            return top >= 0 && bottom <= innerHeight && notice.innerText.includes('was refused:')
                && notice.closest('[role=alert]') !== null;
        })";
        bob.tab
            .wait_for("the reason in sight", in_sight, SOON)
            .await?;
        // To dismiss it is not to lose one's place.
        bob.clicks(&screen::button("Dismiss")).await?;
        let gone = "document.querySelector('[data-testid=refused]') === null";
        bob.tab.wait_for("no notice", gone, SOON).await?;
        bob.tab
            .wait_for("the same place", far_down, SOON)
            .await
            .map(drop)
    });
}

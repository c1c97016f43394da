//! Polls that are moved from one browser profile to another, and polls that are archived.

use hustings_e2e::bounds::{BACK, SOON};
use hustings_e2e::scenario;
use serde_json::json;

use crate::member::{Device, Member, Poll, QUESTION, result};
use crate::screen;

const PASSPHRASE: &str = "eight words or so";

/// Keeps what is offered as a file, as base64.
const KEEP_FILES: &str = "const make = URL.createObjectURL
    URL.createObjectURL = blob => {
        window.file = new Promise(done => {
            const reader = new FileReader()
            reader.onload = () => done(reader.result.split(',')[1])
            reader.readAsDataURL(blob)
        })
        return make.call(URL, blob)
    }";

/// Chooses the file with the bytes `arg`, in base64.
const CHOOSE_FILE: &str = "const bytes = Uint8Array.from(atob(arg), digit => digit.charCodeAt(0))
    const chosen = new DataTransfer()
    chosen.items.add(new File([bytes], 'polls.age'))
    document.querySelector('#keep-file').files = chosen.files";

fn fold(name: &str) -> String {
    format!("//summary[normalize-space()='{name}']")
}

/// Opens a file on the start page.
async fn opens(member: &Member, file: &str, passphrase: &str) -> anyhow::Result<()> {
    member.tab.run_with::<()>(CHOOSE_FILE, file).await?;
    let words = screen::field("Passphrase of the file");
    member.types(&words, passphrase).await?;
    member.clicks(&screen::button("Import")).await
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_poll_that_is_moved_to_another_profile_goes_on_there_under_the_same_link() {
    scenario(async |world| {
        let Poll { owner, link, .. } = Poll::begin(world).await?;
        let bob = Member::enter_on(world, "bob", Device::Phone).await?;
        bob.goes_to(&link).await?;
        bob.is_connected(SOON).await?;
        bob.votes_for("Thai").await?;
        bob.sees("Your vote is counted", SOON).await?;

        owner.goes_to(&world.app()?).await?;
        owner.sees("This tab hosts them", SOON).await?;
        owner.tab.run::<()>(KEEP_FILES).await?;
        owner.clicks(&fold("Save them in a file")).await?;
        let moves = "A move: the polls go on where the file is opened";
        owner.clicks(&screen::field(moves)).await?;
        owner.types(&screen::field("Passphrase"), "short").await?;
        owner.clicks(&screen::button("Save the file")).await?;
        owner.sees("Take 8 characters or more", SOON).await?;
        owner
            .types(&screen::field("Passphrase"), PASSPHRASE)
            .await?;
        let again = screen::field("Passphrase again");
        owner.types(&again, "eight words or no").await?;
        owner.clicks(&screen::button("Save the file")).await?;
        owner.sees("are not the same", SOON).await?;
        owner.types(&again, PASSPHRASE).await?;
        owner.clicks(&screen::button("Save the file")).await?;
        owner.sees("The file is in your downloads", BACK).await?;
        owner.sees("was moved to another device on", SOON).await?;
        owner.shows(world, "moved-away").await?;
        let file: String = owner.tab.run("return await window.file").await?;
        let listed = "document.querySelector('.own a') === null";
        owner.tab.wait_for("nothing hosted", listed, SOON).await?;
        owner.sees("Cancel the move…", SOON).await?;

        // The voter waits, with the copy.
        bob.is_alone(BACK).await?;
        let other = Member::enter_on(world, "the other device", Device::Desktop).await?;
        other.goes_to(&world.app()?).await?;
        other.sees("New poll", SOON).await?;
        other.clicks(&fold("Open a file")).await?;
        opens(&other, &file, "other words").await?;
        other.sees("The passphrase is wrong", BACK).await?;
        opens(&other, &file, PASSPHRASE).await?;
        other.sees("1 poll is imported", BACK).await?;
        other.shows(world, "moved-here").await?;
        other.clicks(&screen::button("Go on")).await?;
        other.sees("This tab hosts them", SOON).await?;
        other.follows(&link).await?;
        other.is_host(SOON).await?;
        bob.retries().await?;
        bob.is_connected(BACK).await?;
        let poll = Poll::of(world, other, link.clone());
        let votes = result(&[("Thai", 1), ("Pizza", 0)]);
        poll.agrees(&[&bob], votes).await?;

        // The old one says so, and takes the address from nobody.
        owner.follows(&link).await?;
        owner
            .sees("This poll was moved to another device on", SOON)
            .await?;
        owner.shows(world, "moved-refused").await?;
        bob.votes_for("Pizza").await?;
        poll.agrees(&[&bob], result(&[("Thai", 0), ("Pizza", 1)]))
            .await
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn an_archived_poll_is_listed_apart_and_can_be_taken_out() {
    scenario(async |world| {
        let Poll { owner, link, .. } = Poll::begin(world).await?;
        let bob = Member::enter_on(world, "bob", Device::Phone).await?;
        bob.goes_to(&link).await?;
        bob.is_connected(SOON).await?;
        owner.goes_to(&world.app()?).await?;
        owner.sees("This tab hosts them", SOON).await?;
        owner.clicks(&fold("Archive")).await?;
        owner.clicks(&screen::button("Archive")).await?;
        owner.sees("This poll was archived on", SOON).await?;
        let listed = "document.querySelector('[data-testid=aside] bdi').innerText";
        let what = "the archived poll";
        owner
            .tab
            .wait_to_be(what, listed, json!(QUESTION), SOON)
            .await?;
        let hosted = "document.querySelector('.own a') === null";
        owner.tab.wait_for("nothing hosted", hosted, SOON).await?;
        owner.shows(world, "archived").await?;
        bob.is_alone(BACK).await?;
        bob.sees(QUESTION, SOON).await?;

        let out = screen::button("Take out of the archive");
        owner.clicks(&out).await?;
        owner.sees("This tab hosts them", SOON).await?;
        owner.follows(&link).await?;
        owner.is_host(SOON).await?;
        bob.retries().await?;
        bob.is_connected(BACK).await
    });
}

//! Stored data that is damaged: a poll beside one that is not, and a device of somebody's who has
//! others.

use hustings_e2e::bounds::{BACK, SOON};
use hustings_e2e::{TakesPart, scenario};
use serde_json::Value;

use crate::member::{Member, Poll, begin_by, result};
use crate::screen;

/// Cuts the last two bytes off the records whose key, in hexadecimal digits, is of this form.
const CUT: &str = r#"
    const form = new RegExp(`^${arg}$`)
    return await new Promise((resolve, reject) => {
      const request = indexedDB.open('hustings')
      request.onerror = reject
      request.onsuccess = () => {
        const change = request.result.transaction('records', 'readwrite')
        const cursor = change.objectStore('records').openCursor()
        let cut = 0
        cursor.onsuccess = () => {
          const record = cursor.result
          if (!record) return
          const key = record.key instanceof ArrayBuffer ? new Uint8Array(record.key) : []
          const hex = [...key].map(byte => byte.toString(16).padStart(2, '0')).join('')
          if (form.test(hex)) {
            cut += 1
            record.update(record.value.slice(0, -2))
          }
          record.continue()
        }
        change.oncomplete = () => { request.result.close(); resolve(cut) }
      }
    })"#;

/// Keeps what is offered as a file.
const KEEP_FILES: &str = "const make = URL.createObjectURL
    URL.createObjectURL = blob => { window.file = blob.text(); return make.call(URL, blob) }";

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_damaged_poll_is_named_and_the_others_go_on() {
    scenario(async |world| {
        let Poll {
            owner, link: bad, ..
        } = Poll::begin(world).await?;
        owner.goes_to(&world.app()?).await?;
        owner.sees("New poll", SOON).await?;
        let poll = begin_by(world, owner).await?;
        let owner = &poll.owner;
        let bob = poll.join("bob").await?;
        let snapshot = bad.rsplit('/').next().unwrap_or_default().replace('-', "");
        let cut: u32 = owner.tab.run_with(CUT, format!("21.*{snapshot}00")).await?;
        assert_eq!(cut, 1);

        // The sound one is hosted.
        owner.tab.reload().await?;
        owner.is_host(SOON).await?;
        bob.is_connected(BACK).await?;
        bob.votes_for("Thai").await?;
        poll.agrees(&[&bob], result(&[("Thai", 1), ("Pizza", 0)]))
            .await?;

        // The other is named where it is opened, and where all are listed.
        let shown = "location.href = arg";
        owner.tab.run_with::<()>(shown, &bad).await?;
        owner.sees("The poll cannot be opened", SOON).await?;
        owner
            .sees("Where do we eat on Friday? cannot be read", SOON)
            .await?;
        owner.goes_to(&world.app()?).await?;
        owner.sees("This tab hosts them", SOON).await?;
        owner
            .sees("Where do we eat on Friday? cannot be read", SOON)
            .await?;
        owner.sees("is corrupt", SOON).await?;
        bob.is_connected(BACK).await?;
        owner.shows(world, "damaged").await?;

        // It can be taken away as it is,
        owner.tab.run::<()>(KEEP_FILES).await?;
        owner.clicks(&screen::button("Save a copy")).await?;
        owner.sees("Saved as it is", SOON).await?;
        let file: Value = owner
            .tab
            .run("return JSON.parse(await window.file)")
            .await?;
        assert!(
            bad.ends_with(file["link"].as_str().unwrap_or("none")),
            "{file}"
        );
        assert_eq!(file["records"].as_array().map(Vec::len), Some(2), "{file}");

        // and is removed only after a question.
        owner.clicks(&screen::button("Remove…")).await?;
        owner.clicks(&screen::button("Keep it")).await?;
        owner.clicks(&screen::button("Remove…")).await?;
        owner.clicks(&screen::button("Remove for good")).await?;
        owner.sees("Removed.", SOON).await?;
        owner.tab.reload().await?;
        owner.sees("This tab hosts them", SOON).await?;
        let damaged = "document.querySelector('[data-testid=damaged]') === null";
        owner.tab.wait_for("nothing damaged", damaged, SOON).await?;
        bob.is_connected(BACK).await?;
        bob.votes_for("Pizza").await?;
        let cleo = Member::enter(world, "cleo").await?;
        cleo.goes_to(&bad).await?;
        cleo.sees("the host has no poll under this link", BACK)
            .await?;
        owner.tab.run_with::<()>(shown, &poll.link).await?;
        owner.is_host(SOON).await?;
        poll.agrees(&[&bob], result(&[("Thai", 0), ("Pizza", 1)]))
            .await
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_guest_with_a_damaged_device_goes_on_with_another_and_is_told() {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let bob = poll.join("bob").await?;
        bob.votes_for("Thai").await?;
        bob.sees("Your vote is counted", SOON).await?;

        // The next number of the outbox of slot 0, of which a counter is left when all is sent.
        let cut: u32 = bob.tab.run_with(CUT, "10.{106}").await?;
        assert_eq!(cut, 1);
        bob.tab.reload().await?;
        bob.is_connected(BACK).await?;
        bob.sees("The record outbox of device", SOON).await?;
        bob.shows(world, "damaged-device").await?;
        bob.votes_for("Pizza").await?;
        bob.sees("Your vote is counted", SOON).await?;
        poll.agrees(&[&bob], result(&[("Thai", 0), ("Pizza", 1)]))
            .await?;

        // The device itself, which every tab begins with.
        let cut: u32 = bob.tab.run_with(CUT, "0100000000").await?;
        assert_eq!(cut, 1);
        bob.tab.reload().await?;
        bob.is_connected(BACK).await?;
        bob.sees("The record the device of slot 0 is corrupt", SOON)
            .await?;
        bob.votes_for("Thai").await?;
        bob.sees("Your vote is counted", SOON).await?;
        poll.agrees(&[&bob], result(&[("Thai", 1), ("Pizza", 0)]))
            .await?;

        // The identity is the same for all of them, and without it there is nothing to go on with.
        let cut: u32 = bob.tab.run_with(CUT, "01").await?;
        assert_eq!(cut, 1);
        bob.tab.reload().await?;
        bob.sees("The stored data cannot be used", SOON).await?;
        bob.sees("The record the identity is corrupt", SOON).await?;
        Ok(())
    });
}

//! A poll whose stored data is damaged, beside one that is not.

use hustings_e2e::bounds::{BACK, SOON};
use hustings_e2e::{TakesPart, scenario};
use serde_json::Value;

use crate::member::{Member, Poll, begin_by, result};
use crate::screen;

/// Cuts the last five bytes off the snapshot of a poll, under the feet of whoever hosts it.
const CUT: &str = r#"
    const id = arg.split('/').pop().replaceAll('-', '')
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
          if (hex.startsWith('21') && hex.endsWith(id + '00')) {
            cut += 1
            record.update(record.value.slice(0, -5))
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
        let cut: u32 = owner.tab.run_with(CUT, &bad).await?;
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

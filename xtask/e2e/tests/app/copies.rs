//! Two copies of one profile, as of a browser that was moved to another machine.

use hustings_e2e::bounds::{BACK, SOON};
use hustings_e2e::scenario;
use serde_json::Value;

use crate::member::{Device, Member, Poll, result};
use crate::screen;

/// Reads everything that is stored.
const READ: &str = "const [{ name }] = await indexedDB.databases();
    const db = await new Promise(resolve => {
        indexedDB.open(name).onsuccess = ({ target }) => resolve(target.result);
    });
    const [store] = db.objectStoreNames;
    const all = what => new Promise(resolve => {
        db.transaction(store).objectStore(store)[what]().onsuccess = ({ target }) => resolve(target.result);
    });
    const plain = value =>
        value instanceof ArrayBuffer ? { buffer: [...new Uint8Array(value)] }
        : ArrayBuffer.isView(value) ? { bytes: [...value] }
        : { value };
    const [keys, values] = [await all('getAllKeys'), await all('getAll')];
    db.close();
    return keys.map((key, at) => [plain(key), plain(values[at])]);";

/// Stores that in place of what is there.
const WRITE: &str = "const [{ name }] = await indexedDB.databases();
    const db = await new Promise(resolve => {
        indexedDB.open(name).onsuccess = ({ target }) => resolve(target.result);
    });
    const [store] = db.objectStoreNames;
    const kept = ({ buffer, bytes, value }) =>
        buffer ? new Uint8Array(buffer).buffer : bytes ? new Uint8Array(bytes) : value;
    await new Promise(resolve => {
        const transaction = db.transaction(store, 'readwrite');
        const records = transaction.objectStore(store);
        records.clear();
        for (const [key, value] of arg) records.put(kept(value), kept(key));
        transaction.oncomplete = resolve;
    });
    db.close();";

/// The headline of whoever has left the poll to a copy.
const ELSEWHERE: &str = "You are in this poll elsewhere";

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn of_two_copies_of_a_profile_that_one_is_in_the_poll_which_is_wanted() {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let bob = poll.join("bob").await?;
        bob.votes_for("Thai").await?;
        bob.sees("Your vote is counted", SOON).await?;
        let profile: Vec<Value> = bob.tab.run(READ).await?;
        let copy = Member::enter_on(world, "the copy of bob", Device::Desktop).await?;
        copy.goes_to(&world.app()?).await?;
        copy.sees("New poll", SOON).await?;
        copy.tab.run_with::<()>(WRITE, profile).await?;
        // Another page between: a link that only changes what comes after the # loads nothing.
        copy.tab.go(&world.page("empty.html")).await?;
        copy.goes_to(&poll.link).await?;
        copy.is_connected(SOON).await?;

        // Whoever came last is in it, and the other says so and stays out.
        bob.reads(ELSEWHERE, BACK).await?;
        bob.sees("This profile is in use elsewhere", SOON).await?;
        bob.shows(world, "in-use-elsewhere").await?;
        copy.votes_for("Pizza").await?;
        copy.sees("Your vote is counted", SOON).await?;
        bob.reads(ELSEWHERE, SOON).await?;

        // Until somebody wants it here.
        bob.clicks(&screen::button("Use it here")).await?;
        bob.is_connected(BACK).await?;
        copy.reads(ELSEWHERE, BACK).await?;
        copy.tab.close().await?;
        poll.agrees(&[&bob], result(&[("Thai", 0), ("Pizza", 1)]))
            .await
    });
}

//! Polls that are large, and readers that are slow.

use std::time::Instant;

use hustings_e2e::bounds::{BACK, SOON};
use hustings_e2e::scenario;
use serde_json::json;

use crate::member::{begin_with, result};

const MIB: usize = 1024 * 1024;

/// The most that is kept for a link (`WireLimits::max_queued_bytes`).
const QUEUED: usize = 4 * MIB;

/// The part of it in the channel's own buffer (`WireLimits::channel_high_water`).
const BUFFERED: usize = 2 * MIB;

/// Messages on top of that: the one that crosses the mark, and one for each second that the channel
/// stands still, for as long as it takes to give it up.
const NUDGES: usize = 32;

/// The amount to be queued for one who does not read.
const AT_LEAST: usize = 16 * MIB;

/// The bytes on top of a queue: the snapshot, what a browser has on its way, pages of memory that
/// are not full.
const SLACK: usize = 2 * MIB;

/// Changes after which the owner has all the memory that it needs by itself.
const WARM_UP: usize = 600;

/// Makes so many changes, as large as they can be: a vote for 100 options has an id of 36
/// characters for each.
const CHANGES: &str = "
    const options = room.poll().options.map(option => option.optionId);
    for (let made = 0; made < arg; made += 32) {
        const votes = Array.from({ length: Math.min(32, arg - made) }, (_, number) => {
            const from = (made + number) % 100;
            return room.vote(options.slice(from, from + 100));
        });
        for (const vote of await Promise.all(votes)) await vote.outcome();
    }
    return memory.buffer.byteLength";

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_poll_of_more_than_a_mebibyte_is_joined() {
    scenario(async |world| {
        // As many options as there may be, as long as they may be.
        // Of open votes a copy is the whole poll.
        let thumbs = "👍".repeat(197);
        let options: Vec<_> = (0..1_000).map(|it| format!("{thumbs}{it:03}")).collect();
        let draft = json!({ "title": "Thumbs", "options": options, "multipleChoice": true, "ballots": "open" });
        let poll = begin_with(world, draft).await?;
        // And members, of whom nothing is known but a role.
        let members = "const letter = () => 'abcdefghijklmnopqrstuvwxyz234567'[Math.floor(Math.random() * 32)];
            const id = () => Array.from({ length: 51 }, letter).join('') + 'a';
            for (let made = 0; made < arg; made += 250) {
                const roles = Array.from({ length: 250 }, () => room.setRole(id(), 'moderator'));
                const submitted = await Promise.all(roles);
                await Promise.all(submitted.map(role => role.outcome()));
            }";
        let owner = &poll.owner.tab;
        owner.run_with::<()>(members, 3_000).await?;
        let size = "return new Blob([JSON.stringify(room.poll())]).size";
        let bytes: usize = owner.run(size).await?;
        assert!(bytes > MIB, "{bytes} bytes");
        let began = Instant::now();
        let bob = poll.join("bob").await?;
        println!(
            "a poll of {bytes} bytes: there {:.1?} after the browser was started",
            began.elapsed()
        );
        let copy: usize = bob.tab.run(size).await?;
        assert_eq!(copy, bytes);
        let revision: u64 = owner.run("return room.revision()").await?;
        bob.votes_for(999).await?;
        bob.is_counted(revision + 1, SOON).await?;
        Ok(())
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_reader_who_stands_still_is_owed_one_snapshot_and_not_a_queue() {
    scenario(async |world| {
        // Each vote is told only where votes are open.
        let options: Vec<_> = (0..200).map(|number| format!("Option {number}")).collect();
        let draft = json!({ "title": "Many", "options": options, "multipleChoice": true, "ballots": "open" });
        let poll = begin_with(world, draft).await?;
        let bob = poll.join("bob").await?;
        let owner = &poll.owner.tab;
        // What the owner needs by itself: a journal, a tail for those who come back.
        let before: usize = owner.run_with(CHANGES, WARM_UP).await?;
        let seen = "room.revision()";
        bob.tab
            .wait_to_be("the revision", seen, WARM_UP, SOON)
            .await?;
        let each = bob.tab.run::<usize>("return spy.received()").await? / WARM_UP;

        let frozen = bob.person.freeze()?;
        let began = Instant::now();
        let count = AT_LEAST / each + 1;
        let after: usize = owner.run_with(CHANGES, count).await?;
        let took = began.elapsed();
        let buffered: usize = owner.run("return spy.mostBuffered").await?;
        drop(frozen);

        let revision = WARM_UP + count;
        bob.tab
            .wait_to_be("the revision", seen, revision, BACK)
            .await?;
        let came = bob.tab.run::<usize>("return spy.received()").await?;
        // The count is that of the connection, which may be a new one if the changes took long.
        let came = came.saturating_sub(WARM_UP * each);
        let grown = after - before;
        let made = bob.tab.connections_made().await?;
        println!(
            "{count} changes of {each} bytes in {took:.1?}, which one reader was not there for: at most \
             {buffered} bytes waited in the channel, the memory grew by {grown}; {came} bytes came afterwards, on \
             connection {made}"
        );
        let bound = BUFFERED + NUDGES * each;
        assert!(buffered <= bound, "{buffered} bytes in the channel");
        assert!(grown <= QUEUED + SLACK, "{grown} bytes more");
        assert!(came <= QUEUED + SLACK, "{came} bytes for a snapshot");
        let votes: Vec<u64> = owner.run("return votes()").await?;
        let expected = result(&votes, revision.try_into()?);
        poll.agrees(&[&bob], expected).await
    });
}

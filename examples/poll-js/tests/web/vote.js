const [ann, ben] = [await somebody("ann"), await somebody("ben")];
same([ann.storage, ann.storageProblem], ["database", undefined]);
// Two at once are hosted by one host.
const open = { ...teaOrCoffee, ballots: "open" };
const [hosted, other] = await Promise.all([ann.create(open), ann.create({ title: "Anything else?" })]);
same((await ann.polls()).sort(), [hosted.link, other.link].sort());
same([hosted.me, hosted.link.split("/")[0]], [ann.me, ann.me]);
same([hosted.poll().title, hosted.revision(), hosted.pending()], ["Tea or coffee?", 0, []]);

const joined = await join(ben, hosted.link);
same([joined.registered(), hosted.registered()], [true, true]);
same([joined.connection(), hosted.connection()], [{ state: "connected" }, { state: "connected" }]);
same(joined.peers().map(peer => peer.peerId).sort(), [ann.me, ben.me].sort());
const tea = joined.poll().options[0];
same(tea.label, "Tea");
same(await outcome(joined.setName("Ben")), { state: "applied", revision: 1 });
const submitted = await joined.vote([tea.optionId]);
same(await soon(submitted.outcome(), "the outcome"), { state: "applied", revision: 2 });
same(await submitted.outcome(), { state: "applied", revision: 2 }, "and it is told again");
same(joined.pending(), []);
for (const room of [hosted, joined]) {
    same(room.revision(), 2);
    same([room.tally().voters, room.tally().options.map(option => option.votes)], [1, [1, 0]]);
    same(room.confirmed().members[ben.me], { role: "voter", profile: { name: "Ben" }, choices: [tea.optionId] });
}

await joined.close();
same([joined.connection(), joined.failure()], [{ state: "closed" }, undefined]);
same(await refusal(joined.vote([])), "closed");

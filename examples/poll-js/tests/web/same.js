// An unchanged value is the same object, and a changed one is another.
const [ann, ben] = [await somebody("ann"), await somebody("ben")];
const hosted = await ann.create(teaOrCoffee);
const joined = await join(ben, hosted.link);
await until(joined, () => joined.peers().length === 2, "both are there");
const names = ["poll", "confirmed", "tally", "pending", "connection", "peers"];
const all = room => names.map(name => room[name]());
const changed = (before, after) => names.filter((_, index) => before[index] !== after[index]);

for (const room of [hosted, joined]) same(changed(all(room), all(room)), []);
const before = all(hosted);
same((await outcome(joined.vote([joined.poll().options[0].optionId]))).state, "applied");
same(changed(before, all(hosted)), ["poll", "confirmed", "tally"]);
const later = all(joined);
same((await outcome(hosted.setName("Ann"))).state, "applied");
await until(joined, () => joined.revision() === 2, "the name");
same(changed(later, all(joined)), ["poll", "confirmed", "tally"]);

// A command that waits is in the poll and among those that wait, and nowhere else.
await until(joined, () => joined.pending().length === 0, "the answer");
const still = all(joined);
const submitted = joined.vote([joined.poll().options[1].optionId]);
await until(joined, () => joined.pending().length === 1, "the vote is submitted");
same(changed(still, all(joined)).filter(name => name !== "tally" && name !== "confirmed"), ["poll", "pending"]);
await outcome(submitted);

await hosted.close();
await until(joined, () => joined.connection().state === "disconnected", "noticing");
const away = joined.connection();
await new Promise(requestAnimationFrame);
if (joined.connection().state === "disconnected" && joined.connection().retryAt === away.retryAt) {
    same(joined.connection() === away, true, "time alone changes nothing");
}
same(Math.abs(away.retryAt - away.retryInMs - Date.now()) < 60_000, true, "it is a time of day");

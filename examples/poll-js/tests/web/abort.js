const [ann, ben] = [await somebody("ann"), await somebody("ben")];
const aborted = AbortSignal.abort();
const hosted = await ann.create(teaOrCoffee);
same(await refusal(ben.join(hosted.link, { signal: aborted })), "aborted");
const room = await ben.join(`${ben.me}/00000000-0000-4000-8000-000000000000`, { signal: new AbortController().signal });
const controller = new AbortController();
const waiting = refusal(room.connected({ signal: controller.signal }));
// Not before it has begun to wait.
await ben.polls();
controller.abort();
same(await waiting, "aborted");

const joined = await join(ben, hosted.link);
const options = joined.poll().options.map(option => option.optionId);
for (const call of [o => joined.vote(options.slice(1), o), o => joined.addOption("Water", o), o => joined.setName("Ben", o),
    o => joined.setRole(ben.me, "voter", o), o => joined.settings({ closed: true }, o)]) {
    same(await refusal(call({ signal: aborted })), "aborted", `${call}`);
    same(await refusal(call({ signal: true })), "bad-argument", `${call}`);
    same(await refusal(call(null)), "bad-argument", `${call}`);
}
same(joined.pending(), [], "nothing was submitted");
// Nobody waits any more, and it counts all the same.
const later = new AbortController();
const vote = await joined.vote(options.slice(0, 1), { signal: later.signal });
const answer = refusal(vote.outcome({ signal: AbortSignal.abort() }));
later.abort();
same([await answer, await soon(vote.outcome({}), "the outcome")], ["aborted", { state: "applied", revision: 1 }]);

const [ann, ben] = [await somebody("ann"), await somebody("ben")];
const hosted = await ann.create(teaOrCoffee);
const joined = await join(ben, hosted.link);
const [tea] = joined.poll().options;
same(await outcome(joined.vote([tea.optionId])), { state: "applied", revision: 1 });

await hosted.close();
same([hosted.connection(), hosted.poll()], [{ state: "closed" }, undefined]);
await until(joined, () => joined.connection().state === "disconnected", "noticing");
const away = joined.connection();
same([typeof away.retryInMs, typeof away.reason], ["number", "string"]);
same(["closed-by-peer", "lost", "unreachable", "unknown-poll"].includes(away.code), true, away.code);
same(joined.full(), false, "nobody was turned away");
same(joined.tally().voters, 1, "what was seen can still be read");
same(await refusal(joined.vote([])), "owner-offline");

const again = await ann.resume(hosted.link);
await joined.reconnect();
await soon(joined.connected(), "coming back");
same(await outcome(joined.vote([])), { state: "applied", revision: 2 });
// A handle that was closed stays so.
same([again.tally().voters, hosted.tally()], [0, undefined]);

const [ann, ben] = [await somebody("ann"), await somebody("ben")];
const hosted = await ann.create(teaOrCoffee);
const joined = await join(ben, hosted.link);

const heard = [];
const stop = joined.onChange(event => {
    heard.push(event);
    for (const what of ["poll", "confirmed", "tally", "revision", "pending", "connection", "peers", "failure"]) {
        joined[what]();
    }
    // One that does something in answer to what it did itself.
    if (event.type === "poll" && event.revision === 1) joined.setName("Ben");
});
const quiet = event => event.preventDefault();
addEventListener("unhandledrejection", quiet);
joined.onChange(() => { throw new Error("thrown by a callback, which is nobody else's business"); });

const submitted = await joined.vote([joined.poll().options[1].optionId]);
await until(joined, () => joined.confirmed().members[ben.me]?.profile?.name === "Ben", "the answer of the callback");
removeEventListener("unhandledrejection", quiet);
const ofVote = heard.filter(event => event.commandId === submitted.commandId).map(event => event.state);
same([ofVote.includes("sent"), ofVote.at(-1)], [true, "applied"], ofVote.join());
same(heard.filter(event => event.type === "poll").map(event => event.revision), [1, 2]);

// Whoever has stopped hears no more, and may stop twice.
const before = heard.length;
stop();
stop();
same(await outcome(hosted.settings({ closed: true })), { state: "applied", revision: 3 });
await until(joined, () => joined.poll().closed, "the end of the poll");
same(heard.length, before);

// A handle that is let go closes nothing, and whoever listens goes on listening.
const other = await join(ben, hosted.link);
const next = new Promise(resolve => other.onChange(event => event.type !== "peers" && resolve(event)));
other.free();
same(await outcome(hosted.setName("Ann")), { state: "applied", revision: 4 });
same(await soon(next, "the next event"), { type: "poll", revision: 4 });
same(hosted.peers().length, 3, "the owner, and two seats of Ben's");

for (const room of [joined, hosted]) {
    const last = new Promise(resolve => room.onChange(event => event.type === "closed" && resolve(event)));
    await room.close();
    same(await soon(last, "the last event"), { type: "closed" });
}

const [ann, ben, cat] = [await somebody("ann"), await somebody("ben"), await somebody("cat")];
const hosted = await ann.create({ ...teaOrCoffee, results: "afterVote" });
const rules = ({ ballots, results, shown }) => [ballots, results, shown];
same(rules(hosted.poll()), ["secret", "afterVote", "ballots"], "the host has the votes");

const [bens, cats] = [await join(ben, hosted.link), await join(cat, hosted.link)];
same(rules(bens.poll()), ["secret", "afterVote", "turnout"]);
const [tea, coffee] = bens.poll().options.map(option => option.optionId);
const votes = room => room.tally()?.options.map(option => option.votes);
same([bens.tally(), bens.voters()], [undefined, 0]);

await outcome(cats.vote([coffee]));
await until(bens, () => bens.voters() === 1, "who has voted");
same([bens.tally(), bens.poll().tally], [undefined, undefined], "Ben has not voted");
same(bens.confirmed().members[cat.me], { role: "voter", voted: true });
same(cats.confirmed().members[cat.me], { role: "voter", choices: [coffee] }, "one's own is shown");
await until(cats, () => cats.tally(), "the result");
same(votes(cats), [0, 1]);

await outcome(bens.vote([tea]));
await until(bens, () => bens.tally(), "the result");
same([votes(bens), bens.poll().shown, bens.poll().tally, bens.voters()], [[1, 1], "tally", [1, 1], 2]);
same(bens.confirmed().members[cat.me], { role: "voter", voted: true }, "and still not how");
same([votes(hosted), hosted.voters()], [[1, 1], 2]);

await outcome(bens.vote([]));
await until(bens, () => !bens.tally(), "no result without a vote");
await outcome(hosted.settings({ closed: true }));
await until(bens, () => bens.tally(), "the result of a poll that is closed");
same(votes(bens), [0, 1]);
await outcome(hosted.settings({ closed: false, results: "live" }));
await until(bens, () => bens.poll().results === "live", "the setting");
same(votes(bens), [0, 1]);
same(await refusal(hosted.settings({ results: "never" })), "bad-argument");
same(await refusal(ann.create({ ...teaOrCoffee, ballots: "postal" })), "bad-argument");

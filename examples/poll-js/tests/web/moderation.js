const [ann, ben, cat] = [await somebody("ann"), await somebody("ben"), await somebody("cat")];
const hour = 3_600_000;
const closesAt = Date.now() + hour;
const hosted = await ann.create({ ...teaOrCoffee, closesAt });
const [bens, cats] = [await join(ben, hosted.link), await join(cat, hosted.link)];
const [tea, coffee] = bens.poll().options.map(option => option.optionId);
const votes = room => room.tally().options.map(option => option.votes);
const done = async submitted => same((await outcome(submitted)).state, "applied");

same([bens.poll().closesAt, hosted.poll().closesAt], [closesAt, closesAt]);
same(hosted.clockOffset, 0);
// They have the same clock; a message takes a while.
same(bens.clockOffset <= 0 && bens.clockOffset > -hour, true, "the host's clock");

await done(bens.vote([tea]));
await done(cats.vote([coffee]));
await until(hosted, () => hosted.voters() === 2, "both votes");

await done(hosted.settings({ title: "Tea or cocoa?", closesAt: null }));
await done(hosted.updateOption(coffee, { label: "Cocoa" }));
await until(bens, () => bens.poll().options[1].label === "Cocoa", "the label");
same([bens.poll().title, bens.poll().closesAt, votes(bens)], ["Tea or cocoa?", undefined, [1, 1]]);

await done(hosted.updateOption(tea, { withdrawn: true }));
await until(bens, () => bens.poll().options[0].withdrawn, "the withdrawal");
await until(bens, () => bens.voters() === 1, "the votes that count");
same([votes(bens), bens.poll().members[ben.me].choices], [[0, 1], [tea]], "and still what he chose");
const refused = await outcome(cats.vote([tea]));
same([refused.state, refused.code], ["rejected", "option-withdrawn"]);
await done(hosted.updateOption(tea, { withdrawn: false }));
await until(bens, () => bens.voters() === 2, "the vote is back");

same((await outcome(bens.removePeer(cat.me, { keepVote: true }))).code, "not-allowed");
await done(hosted.setRole(ben.me, "moderator"));
await done(bens.removePeer(cat.me, { keepVote: false }));
await until(cats, () => cats.connection().code === "removed", "the removal");
same(cats.connection().state, "refused");
same([hosted.poll().members[cat.me].removed, hosted.voters()], [true, 1]);
await done(bens.readmitPeer(cat.me));
await cats.reconnect();
await cats.connected();
await done(cats.vote([coffee]));

await done(hosted.settings({ closesAt: Date.now() - hour }));
await until(bens, () => bens.poll().closed, "the end");
same((await outcome(cats.vote([tea]))).code, "poll-closed");
await done(hosted.settings({ closed: false, closesAt }));
await until(bens, () => !bens.poll().closed && bens.poll().closesAt === closesAt, "another deadline");

for (const wrong of [
    hosted.removePeer("ann", { keepVote: true }),
    hosted.removePeer(cat.me, {}),
    hosted.readmitPeer(7),
    hosted.updateOption("tea", { withdrawn: true }),
    hosted.updateOption(tea, { withdraw: true }),
    hosted.settings({ closesAt: "tomorrow" }),
    hosted.settings({ titel: "Tea?" }),
]) same(await refusal(wrong), "bad-argument");

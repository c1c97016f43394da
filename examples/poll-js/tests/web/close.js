// As development servers and strict modes do: opened, closed and opened again in one page.
const profile = `ann ${Math.random()}`;
const held = async () => {
    const { held } = await navigator.locks.query();
    return held.map(lock => lock.name).filter(name => name.includes(profile));
};
const ben = await somebody("ben");
const theirs = await ben.create(teaOrCoffee);
const [first] = [await somebody("", { profile })];
const { link } = await first.create(teaOrCoffee);
for (let time = 0; time < 3; time += 1) {
    const ann = await somebody("", { profile });
    same(ann.me, first.me);
    if (time === 0) {
        same(await refusal(ann.host()), "hosted-elsewhere");
        await first.close();
    }
    const hosted = await ann.resume(link);
    const joined = await join(ann, theirs.link);
    same((await held()).length > 0, true, "it holds something");
    const waiting = refusal(joined.connected().then(() => hosted.connected()).then(() => new Promise(closed => hosted.onChange(
        event => event.type === "closed" && closed()))).then(() => hosted.vote([])));
    await ann.close();
    same(await held(), [], "all is released");
    same(await waiting, "closed");
    same([joined.connection().state, hosted.connection().state], ["closed", "closed"]);
    // A call that cannot go on says so, and what is known is still known.
    same(ann.me, first.me);
    for (const call of [() => ann.join(theirs.link), () => ann.host(), () => ann.create(teaOrCoffee), () => ann.polls(),
        () => ann.persist(), () => ann.resume(link), async () => ann.leftBehind(link), async () => ann.takeRefused(link),
        () => joined.vote([]), () => joined.connected(), () => joined.reconnect()]) {
        same(await refusal(call()), "closed", `${call}`);
    }
    await ann.close();
    await joined.close();
}

// Closed while it is still joining and beginning to host: neither stays behind.
const ann = await somebody("", { profile });
const begun = [ann.join(theirs.link), ann.resume(link)].map(refusal);
await ann.close();
same(await Promise.all(begun), ["closed", "closed"]);
same(await held(), [], "nothing is left of what had begun");

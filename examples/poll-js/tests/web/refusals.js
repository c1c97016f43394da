same(await refusal(somebody("ann", { hots: "example.org" })), "bad-argument");
same(await refusal(Hustings.open(null)), "bad-argument");
const mistaken = await somebody("ann", { host: "https://example.org" });
same(await refusal(mistaken.create(teaOrCoffee)), "bad-configuration");
for (const [iceServers, place] of [
    [[{ url: "stun:example.org" }], "iceServers[0].urls"],
    [[{ urls: "stun:example.org" }, { urls: "turn:example.org" }], "iceServers[1].username"],
    [[{ urls: "turn:example.org", username: "u", credential: 1234 }], "iceServers[0].credential"],
    [{}, "they are a list"],
]) {
    const error = await somebody("ann", { iceServers }).catch(error => error);
    same([error.code, error.message.includes(place)], ["bad-configuration", true], error.message);
}

const [ann, ben] = [await somebody("ann"), await somebody("ben")];
same(await refusal(ann.create({ title: "" })), "bad-draft");
same(await refusal(ann.create({ label: "Tea" })), "bad-argument");
same(await refusal(ann.create(() => {})), "bad-argument");
same(await refusal(ann.join("tea")), "bad-argument");
same(await refusal((async () => ann.leftBehind("tea"))()), "bad-argument");

for (const wrong of [undefined, null, 7, {}, [], Symbol("link"), () => {}]) {
    same(await refusal(ann.join(wrong)), "bad-argument");
    same(await refusal(ann.resume(wrong)), "bad-argument");
    same(await refusal(ann.create(wrong)), "bad-argument");
    same(await refusal((async () => ann.leftBehind(wrong))()), "bad-argument");
    same(await refusal((async () => ann.takeRefused(wrong))()), "bad-argument");
}

const hosted = await ann.create(teaOrCoffee);
same(ann.leftBehind(hosted.link), 0);
same(await refusal(ben.resume(hosted.link)), "no-journal");
same(await refusal(ann.resume(`${ann.me}/00000000-0000-4000-8000-000000000000`)), "no-journal");
const cut = await ben.join(`https://example.org/#/${hosted.link.slice(0, -3)}…`).catch(error => error);
same([cut.code, /: 3 of its 89 characters are missing$/.test(cut.message)], ["bad-argument", true], cut.message);
const joined = await join(ben, ` Please vote: https://example.org/#%2F${hosted.link.replace("/", "%2f")}?utm_source=x.\n`);
same(joined.link, hosted.link);
same(await refusal(joined.vote(["tea"])), "bad-argument");
for (const wrong of [undefined, null, 7, {}, "tea", Symbol("tea"), () => {}, [7]]) {
    same(await refusal(joined.vote(wrong)), "bad-argument");
    same(await refusal(joined.settings(wrong === null || wrong?.constructor === Object ? [{}] : wrong)), "bad-argument");
    if (wrong === "tea") continue;
    same(await refusal(joined.addOption(wrong)), "bad-argument");
    same(await refusal(joined.setName(wrong)), "bad-argument");
    same(await refusal(joined.setRole(wrong, "voter")), "bad-argument");
    same(await refusal(joined.setRole(ben.me, wrong)), "bad-argument");
    if (typeof wrong !== "function") same(await refusal((async () => joined.onChange(wrong))()), "bad-argument");
}
same(ann.takeRefused(hosted.link), []);
same(await refusal(joined.setRole(ben.me, "king")), "bad-argument");

// What the owner refuses is an outcome, and does not stand in the way of what follows.
const refused = await outcome(joined.setRole(ben.me, "moderator"));
same([refused.state, refused.code, typeof refused.message], ["rejected", "not-allowed", "string"]);
same((await outcome(joined.addOption("Water"))).code, "not-allowed");
same(await outcome(hosted.setRole(ben.me, "moderator")), { state: "applied", revision: 1 });
await until(joined, () => joined.poll().members[ben.me]?.role === "moderator", "the new role");
same(await outcome(joined.addOption("Water")), { state: "applied", revision: 2 });

// Another tab of Ann's, which in this page is one with the same profile.
const profile = `ann ${Math.random()}`;
const [first, second] = [await somebody("", { profile }), await somebody("", { profile })];
same(first.me, second.me);
const link = (await first.create(teaOrCoffee)).link;
same(await refusal(second.host()), "hosted-elsewhere");
same(await refusal(second.resume(link)), "hosted-elsewhere");
const seat = await join(second, link);
same(seat.peers().length, 2, "the owner twice, on two devices");

const nobody = await ann.join(`${ben.me}/00000000-0000-4000-8000-000000000000`);
same(nobody.poll(), undefined);
same(await refusal(nobody.vote([])), "owner-offline");
await nobody.close();
same(await refusal(nobody.connected()), "closed");

// A poll is moved to another profile, and back.
const [ann, ben] = [await somebody("ann"), await somebody("ben")];
const hosted = await ann.create(teaOrCoffee);
const { link } = hosted;
const joined = await join(ben, link);
const [tea] = joined.poll().options;
same(await outcome(joined.vote([tea.optionId])), { state: "applied", revision: 1 });

same(await refusal(ann.exportPolls("", [link], "copy")), "bad-argument");
same(await refusal(ann.exportPolls("words", [link], "keep")), "bad-argument");
same(await refusal(ann.exportPolls("words", [link], undefined)), "bad-argument");
const file = await ann.exportPolls("eight words or so", [link], "move");
same(new TextDecoder().decode(file.slice(0, 21)), "age-encryption.org/v1");
same(hosted.connection(), { state: "closed" });
const [aside, ...more] = await ann.aside();
same([aside.link, aside.title, aside.reason, more], [link, "Tea or coffee?", "moved", []]);
same(Math.abs(aside.at - Date.now()) < 600000, true);
same(await ann.polls(), []);
same(await refusal(ann.resume(link)), "poll-moved");

// Another device, in place of another page: it has to open its profile anew.
const profile = `another device ${Math.random()}`;
const there = () => Hustings.open({ profile, host: "127.0.0.1", port: +port, iceServers: [] });
let other = await there();
same(await refusal(other.importPolls(file, "other words")), "wrong-passphrase");
same(await refusal(other.importPolls(file.slice(0, -1), "eight words or so")), "bad-file");
same(await refusal(other.importPolls("a file", "eight words or so")), "bad-argument");
same(await other.importPolls(file, "eight words or so"),
    { isNewIdentity: true, polls: [{ link, outcome: "added" }] });
await other.close();
other = await there();
same(other.me, ann.me);
const moved = await other.resume(link);
await joined.reconnect();
await soon(joined.connected(), "coming back");
same(await outcome(joined.vote([])), { state: "applied", revision: 2 });
same(moved.revision(), 2);

// Somebody else has a poll of their own, and does not become Ann.
const carla = await somebody("carla");
await carla.create(teaOrCoffee);
same(await refusal(carla.importPolls(file, "eight words or so")), "other-identity");

// It comes back with what it has got meanwhile.
const back = await other.exportPolls("eight words or so", [link], "move");
await other.close();
same(await ann.importPolls(back, "eight words or so"),
    { isNewIdentity: false, polls: [{ link, outcome: "advanced" }] });
same((await ann.resume(link)).revision(), 2);
same(await ann.aside(), []);

await ann.archive(link);
same((await ann.aside()).map(poll => poll.reason), ["archived"]);
same(await refusal(ann.resume(link)), "poll-archived");
await ann.takeBack(link);
same(await ann.polls(), [link]);

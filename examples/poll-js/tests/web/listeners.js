const [ann, ben] = [await somebody("ann"), await somebody("ben")];
const hosted = await ann.create(teaOrCoffee);
const joined = await join(ben, hosted.link);
const heard = [];
const note = event => heard.push(event);
const controller = new AbortController();
joined.addEventListener("poll", note, { signal: controller.signal });
joined.addEventListener("poll", note);
const any = new Promise(resolve => joined.addEventListener("change", resolve, { once: true }));
const applied = new Promise(resolve => joined.addEventListener("command",
    ({ detail }) => detail.state === "applied" && resolve(detail)));
same((await outcome(joined.vote([joined.poll().options[0].optionId]))).state, "applied");
same((await soon(applied, "the command")).type, "command");
same(typeof (await soon(any, "anything")).detail.type, "string");
await until(joined, () => heard.length > 0, "the poll");
same([heard[0] instanceof Event, heard[0].type, heard[0].detail.type], [true, "poll", "poll"]);
same(new Set(heard).size, heard.length, "each once");

controller.abort();
joined.removeEventListener("poll", note);
const before = heard.length;
const closed = new Promise(resolve => joined.addEventListener("closed", resolve));
same((await outcome(hosted.setName("Ann"))).state, "applied");
await until(joined, () => joined.revision() === 2, "the name");
await joined.close();
same((await soon(closed, "the end")).detail, { type: "closed" });
same(heard.length, before, "nobody listens any more");

const ann = await somebody("ann");
const room = await ann.create(teaOrCoffee);
const submitted = await room.setName("Ann");
await outcome(submitted);
const { link } = room;
for (const object of [submitted, room, ann]) {
    const { prototype } = object.constructor;
    const methods = Object.getOwnPropertyNames(prototype).filter(name => name !== "constructor" && name !== "free" && !name.startsWith("__"));
    const getters = methods.filter(name => Object.getOwnPropertyDescriptor(prototype, name).get);
    object.free();
    object.free();
    for (const name of methods) {
        const call = () => getters.includes(name) ? object[name] : object[name]("change");
        // Those that answer later do not throw.
        const isLater = /^(?:outcome|vote|addOption|set|reconnect|connected|close|persist|host|polls|create|resume|join)/i.test(name);
        same(await refusal(isLater ? call() : (async () => call())()), "freed", `${prototype.constructor.name}.${name}`);
    }
}
same(await refusal(ann.constructor.prototype.join(link)), "freed");

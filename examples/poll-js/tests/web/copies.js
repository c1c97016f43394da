// Two profiles with one identity, as of a browser that was copied to another machine.
const ann = await somebody("ann");
const hosted = await ann.create(teaOrCoffee);
const names = ["ben", "his copy"].map(name => `${name} ${Math.random()}`);
const open = profile => Hustings.open({ profile, host: "127.0.0.1", port: +port, iceServers: [] });
const enter = async who => {
    // The browser has dealt by then with what the profile has released, so both take the first slot.
    await navigator.locks.query();
    return join(who, hosted.link);
};
const ben = await open(names[0]);
const first = await enter(ben);

await (await open(names[1])).close();
const database = name => new Promise(resolve => {
    indexedDB.open(name).onsuccess = ({ target }) => resolve(target.result);
});
const [from, to] = await Promise.all(names.map(database));
const [store] = from.objectStoreNames;
const all = what => new Promise(resolve => {
    from.transaction(store).objectStore(store)[what]().onsuccess = ({ target }) => resolve(target.result);
});
const [keys, values] = [await all("getAllKeys"), await all("getAll")];
await new Promise(resolve => {
    const transaction = to.transaction(store, "readwrite");
    const records = transaction.objectStore(store);
    records.clear();
    keys.forEach((key, at) => records.put(values[at], key));
    transaction.oncomplete = resolve;
});
from.close();
to.close();

// The last one stays, and the other says why it is out.
const copy = await open(names[1]);
same(copy.me, ben.me);
const second = await enter(copy);
const isOut = room => () => room.connection().code === "used-elsewhere";
await until(first, isOut(first), "leaving the address to the copy");
same([first.usedElsewhere(), second.usedElsewhere()], [true, false]);
same([first.connection().state, first.connection().reason], ["disconnected", "this address is in use elsewhere"]);

// Until it is told to have the address.
first.claim();
await soon(first.connected(), "coming back");
await until(second, isOut(second), "leaving the address to the first");
same([first.usedElsewhere(), second.usedElsewhere()], [false, true]);

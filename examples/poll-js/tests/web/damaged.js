const profile = `damaged ${Math.random()}`;
const open = () => Hustings.open({ profile, host: "127.0.0.1", port: +port, iceServers: [] });
let ann = await open();
const [bad, good] = [await ann.create({ title: "A \"bad\" one?", options: ["Tea"] }), await ann.create(teaOrCoffee)];
const [badLink, goodLink] = [bad.link, good.link];
same(await ann.damaged(), []);
await ann.close();

// The end of the snapshot is gone.
const id = badLink.split("/").pop().replaceAll("-", "");
const cut = await new Promise((resolve, reject) => {
    const request = indexedDB.open(profile);
    request.onerror = reject;
    request.onsuccess = () => {
        const change = request.result.transaction("records", "readwrite");
        const cursor = change.objectStore("records").openCursor();
        let cut = 0;
        cursor.onsuccess = () => {
            const record = cursor.result;
            if (!record) return;
            const key = record.key instanceof ArrayBuffer ? new Uint8Array(record.key) : [];
            const hex = [...key].map(byte => byte.toString(16).padStart(2, "0")).join("");
            if (hex.startsWith("21") && hex.endsWith(`${id}00`)) {
                cut += 1;
                record.update(record.value.slice(0, -5));
            }
            record.continue();
        };
        change.oncomplete = () => { request.result.close(); resolve(cut) };
    };
});
same(cut, 1);

ann = await open();
const ben = await somebody("ben");
// The sound one is hosted all the same, and new ones can be made.
same(await ann.polls(), [goodLink]);
await ann.host();
const joined = await join(ben, goodLink);
const [tea] = joined.poll().options;
same((await outcome(joined.vote([tea.optionId]))).state, "applied");
const third = await ann.create(teaOrCoffee);
same((await ann.polls()).sort(), [goodLink, third.link].sort());

// The damaged one is named, and can be taken away as it is.
const [damaged, ...more] = await ann.damaged();
same([damaged.link, damaged.title, more], [badLink, "A \"bad\" one?", []]);
same(damaged.message.includes("is corrupt"), true, damaged.message);
same(await refusal(ann.resume(badLink)), "storage-corrupt");
const taken = JSON.parse(await ann.exportDamaged(badLink));
same([taken.link, taken.records.length, taken.records.at(-1)[0].endsWith(`${id}00`)], [badLink, 2, true]);
same(await refusal(ann.exportDamaged(goodLink)), "not-damaged");
same(await refusal(ann.removeDamaged(goodLink)), "not-damaged");
same(await refusal(ann.removeDamaged()), "not-damaged");
await ann.removeDamaged(badLink);
same(await ann.damaged(), []);
same(await refusal(ann.resume(badLink)), "no-journal");
same((await outcome(joined.vote([]))).state, "applied");
// Whoever asks for it is told for good that it is no more.
const lost = await ben.join(badLink);
await until(lost, () => lost.connection().state === "refused", "the refusal");
await ann.close();

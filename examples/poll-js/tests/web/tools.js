// What every scenario has.

const same = (what, expected, why) => {
    const [is, should] = [what, expected].map(value => JSON.stringify(value));
    if (is !== should) throw new Error(`${is} in place of ${should}${why ? `: ${why}` : ""}`);
};

/** What a promise comes to, which must not take longer than a minute. */
const soon = (promise, what) => Promise.race([
    promise,
    new Promise((_, reject) => setTimeout(() => reject(new Error(`${what} took longer than a minute`)), 60000)),
]);

/** A person with a database of their own. */
const somebody = (name, options = {}) =>
    Hustings.open({ profile: `${name} ${Math.random()}`, host: "127.0.0.1", port: +port, iceServers: [], ...options });

const teaOrCoffee = { title: "Tea or coffee?", options: ["Tea", "Coffee"] };

const join = async (who, link) => {
    const room = await who.join(link);
    await soon(room.connected(), "joining");
    return room;
};

/** Resolves once something is so, which is looked at whenever something happens in the room. */
const until = (room, isSo, what) => soon(new Promise(resolve => {
    const look = () => {
        if (isSo()) { stop(); resolve(); }
    };
    const stop = room.onChange(look);
    look();
}), what);

const outcome = async submitted => soon((await submitted).outcome(), "the outcome");

/** The code of what a promise is rejected with. */
const refusal = async promise => {
    try {
        await soon(promise, "the refusal");
    } catch (error) {
        same([error instanceof Error, error.name, typeof error.message], [true, "HustingsError", "string"], `${error}`);
        return error.code;
    }
    throw new Error("it was not refused");
};

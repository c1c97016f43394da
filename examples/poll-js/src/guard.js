// The classes beyond what wasm-bindgen gives them: a call on an object that was freed is an error with a
// code, and a room is listened to as everything else in a page is.

/** The methods that answer at once: they throw. The others reject. */
const AT_ONCE = new Set([
    "poll", "confirmed", "tally", "revision", "pending", "connection", "peers", "registered", "failure", "onChange",
    "leftBehind", "takeRefused", "full", "usedElsewhere", "claim",
]);

const guarded = new WeakSet();
/** Of each room with listeners. */
const targets = new WeakMap();

/** Guards the class of an object, once. */
export function guard(object) {
    const { prototype, name } = object.constructor;
    if (guarded.has(prototype)) return;
    guarded.add(prototype);
    for (const method of Object.getOwnPropertyNames(prototype)) {
        const { get, value } = Object.getOwnPropertyDescriptor(prototype, method);
        const work = get ?? value;
        if (method === "constructor" || method === "free" || method.startsWith("__")) continue;
        const isAtOnce = get || AT_ONCE.has(method);
        const checked = function (...args) {
            if (this?.__wbg_ptr) return work.apply(this, args);
            const error = freed(name, method);
            if (isAtOnce) throw error;
            return Promise.reject(error);
        };
        Object.defineProperty(prototype, method, get ? { get: checked } : { value: checked });
    }
    const { free } = prototype;
    const once = function () {
        if (this.__wbg_ptr) free.call(this);
    };
    Object.defineProperty(prototype, "free", { value: once });
    if (Symbol.dispose) Object.defineProperty(prototype, Symbol.dispose, { value: once });
    if (!("onChange" in prototype)) return;
    for (const method of ["addEventListener", "removeEventListener"]) {
        const listen = function (...args) {
            target(this)[method](...args);
        };
        Object.defineProperty(prototype, method, { value: listen });
    }
}

function freed(name, method) {
    const error = new Error(`${method} was called on a ${name} that was freed, or without one`);
    error.name = "HustingsError";
    error.code = "freed";
    return error;
}

function target(room) {
    const known = targets.get(room);
    if (known) return known;
    const target = new EventTarget();
    room.onChange(event => {
        for (const type of [event.type, "change"]) target.dispatchEvent(new CustomEvent(type, { detail: event }));
    });
    targets.set(room, target);
    return target;
}

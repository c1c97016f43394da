import init, { Hustings, type Connection, type HustingsError, type Room } from "hustings";

// A page without a link behind its `#` starts a poll; one with a link takes part in that poll.
const find = <E extends HTMLElement>(id: string) => document.getElementById(id) as E;

/** Where the signalling server is: `?host=…&port=…` in the address, or this machine. */
const address = new URLSearchParams(location.search);

async function main() {
    await init();
    const hustings = await Hustings.open({
        host: address.get("host") ?? "localhost",
        port: Number(address.get("port") ?? 9000),
        secure: location.protocol === "https:",
    });
    if (hustings.storage === "memory") say(`Nothing lasts: ${hustings.storageProblem}`);
    const link = location.hash.slice(1);
    if (link) return show(await enter(hustings, link));

    const form = find<HTMLFormElement>("start");
    form.hidden = false;
    form.onsubmit = tell(async (event: SubmitEvent) => {
        event.preventDefault();
        const fields = new FormData(form);
        const options = String(fields.get("options")).split("\n").filter(label => label.trim());
        const room = await hustings.create({ title: String(fields.get("title")), options });
        form.hidden = true;
        // From now on a reload of this page goes on hosting.
        location.hash = room.link;
        show(room);
    });
}

/** One's own poll is hosted by one tab, and the others join it as everybody does. */
async function enter(hustings: Hustings, link: string): Promise<Room> {
    if (link.startsWith(hustings.me)) {
        try {
            return await hustings.resume(link);
        } catch (error) {
            if ((error as HustingsError).code !== "hosted-elsewhere") throw error;
        }
    }
    return hustings.join(link);
}

function show(room: Room) {
    find("room").hidden = false;
    find<HTMLAnchorElement>("link").href = `#${room.link}`;
    room.onChange(() => render(room));
    render(room);
}

function render(room: Room) {
    const pending = room.pending().length;
    const state = room.failure() ?? words(room.connection());
    find("state").textContent = pending ? `${state}; ${pending} not confirmed yet` : state;
    const poll = room.poll();
    if (!poll) return;
    find("title").textContent = poll.title;
    // Who chose what is not told in a secret poll. The tally is not there before results are shown.
    const tally = room.tally()?.options;
    const mine = poll.members[room.me]?.choices ?? [];
    const list = find("options");
    while (list.children.length > poll.options.length) list.lastElementChild?.remove();
    poll.options.forEach(({ optionId, label }, index) => {
        const votes = tally?.find(option => option.optionId === optionId)?.votes ?? 0;
        // A button that is there stays: if it were replaced while somebody clicks it, the click would be lost.
        const there = list.children[index] as HTMLButtonElement | undefined;
        const button = there ?? list.appendChild(document.createElement("button"));
        button.textContent = `${mine.includes(optionId) ? "✓ " : ""}${label}: ${votes}`;
        button.disabled = poll.closed;
        button.onclick = tell(async () => {
            const outcome = await (await room.vote([optionId])).outcome();
            if (outcome.state === "rejected") say(outcome.message);
        });
    });
}

function words(connection: Connection): string {
    switch (connection.state) {
        case "disconnected": return `waiting for the host: ${connection.reason}`;
        case "refused": return connection.message;
        default: return connection.state;
    }
}

const say = (what: string) => { find("error").textContent = what; };

/** The same, which tells the user what went wrong. */
const tell = <A extends unknown[]>(work: (...args: A) => Promise<void>) =>
    (...args: A) => void work(...args).catch((error: Error) => say(error.message));

tell(main)();

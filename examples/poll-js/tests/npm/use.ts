// A page's use of the package, for the compiler: everything has its type.

import init, { Hustings, type HustingsError, type Outcome, type PollDraft, type PollSettings, type Refusal, type Room, type Shown, type Tally } from "hustings";

export async function use(link: string, signal: AbortSignal): Promise<Outcome | undefined> {
    await init();
    const hustings = await Hustings.open({ host: "peers.example.org", port: 443, secure: true });
    const draft: PollDraft = {
        title: "Tea or coffee?", options: ["Tea", "Coffee"], ballots: "secret", results: "afterVote",
    };
    const own: Room = await hustings.create(draft);
    const room = await hustings.join(link, { signal });
    const stop = room.onChange(event => event.type === "fault" && console.log(event.code));
    room.addEventListener("poll", event => console.log(event.detail.revision), { signal });
    room.addEventListener("change", event => event.detail.type === "closed" && stop());
    // @ts-expect-error: there is no such event
    room.addEventListener("pool", () => undefined);
    await room.connected({ signal });
    const ids: readonly string[] = room.poll()?.options.map(option => option.optionId) ?? [];
    const counted: Tally | undefined = room.tally();
    const [shown, voters]: [Shown | undefined, number | undefined] = [room.poll()?.shown, room.voters()];
    if (shown === "turnout") console.log(counted, voters);
    const change: PollSettings = { title: "Tea?", closesAt: null };
    await own.settings({ ...change, closesAt: Date.now() + 60_000 });
    const gone: boolean | undefined = own.poll()?.options[0]?.withdrawn;
    if (!gone && ids[0]) await own.updateOption(ids[0], { label: "Green tea", withdrawn: true });
    await own.removePeer(hustings.me, { keepVote: true }, { signal });
    await own.readmitPeer(hustings.me);
    const left: number = (room.poll()?.closesAt ?? 0) - Date.now() - (room.clockOffset ?? 0);
    console.log(left, room.poll()?.members[hustings.me]?.removed);
    // @ts-expect-error: it has to be said what becomes of the vote
    await own.removePeer(hustings.me, {});
    const refused: Refusal[] = hustings.takeRefused(link);
    const connection = room.connection();
    if (connection.state === "disconnected") console.log(connection.retryAt, refused, own.link);
    try {
        return await (await room.vote(ids, { signal })).outcome({ signal });
    } catch (error) {
        if ((error as HustingsError).code !== "closed") throw error;
    } finally {
        stop();
        await hustings.close();
    }
    // @ts-expect-error: a link is a string
    await hustings.join(7);
    // @ts-expect-error: there are no such ballots
    await hustings.create({ title: "Tea or coffee?", ballots: "postal" });
    // @ts-expect-error: there is no such option
    await Hustings.open({ hots: "peers.example.org" });
}

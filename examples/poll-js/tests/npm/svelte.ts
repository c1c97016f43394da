import { readable, type Readable } from "svelte/store";
import type { Poll, Room } from "hustings";

export const poll = (room: Room): Readable<Poll | undefined> =>
    readable<Poll | undefined>(room.poll(), set => {
        set(room.poll());
        return room.onChange(() => set(room.poll()));
    });

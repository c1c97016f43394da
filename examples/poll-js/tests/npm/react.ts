import { useSyncExternalStore } from "react";
import type { Poll, Room } from "hustings";

export function usePoll(room: Room): Poll | undefined {
    return useSyncExternalStore(
        changed => room.onChange(changed),
        () => room.poll(),
    );
}

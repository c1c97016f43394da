/** Where the signalling server is, and whose data this is. All of it has a default. */
export interface Options {
    /** The name of what is stored; people who share a browser have one each. Default `hustings`. */
    profile?: string;
    /** The host of the PeerServer, without a scheme. Default `localhost`. */
    host?: string;
    /** Its port. Default 9000. */
    port?: number;
    /** The path that it is mounted at. Default `/`. */
    path?: string;
    /** Its API key, which is no secret. Default `peerjs`. */
    key?: string;
    /** Whether to use TLS; a page that came by HTTPS has to. Default false. */
    secure?: boolean;
    /**
     * STUN and TURN servers. Default: one public STUN server. An empty list does for one local network. Those that the
     * signalling server hands out, as `hustings-broker --turn` does, are used beside them.
     */
    iceServers?: { urls: string | string[]; username?: string; credential?: string }[];
    /**
     * Whether to connect by TURN servers alone, so that the others never learn this side's IP address; without such a
     * server nothing connects. Default false.
     */
    relayOnly?: boolean;
}

/**
 * Viewers see the poll, voters also vote, moderators also add and change options, set roles below their own and remove
 * people below them.
 */
export type Role = "viewer" | "voter" | "moderator" | "owner";

/** Those who may vote: everybody with the link, or who has redeemed an invitation; the others look. */
export type Admission = "link" | "invited";

/** The invitations of a poll in which only invited people vote. */
export interface Invitations {
    issued: number;
    used: number;
    /** Those that were withdrawn, be it after they were used. */
    withdrawn: number;
    /** Each, in the order of issue; empty on every device but the one that hosts the poll. */
    list: Invitation[];
}

export interface Invitation {
    id: string;
    withdrawn: boolean;
    /** Absent where ballots are secret. */
    used?: boolean;
}

/** The parts of a link. */
export interface ParsedLink {
    /** The link that everybody may have. */
    link: string;
    /** The secret of one person's invitation, for `Room.redeem`. */
    invitation?: string;
}

/**
 * The people who see the choices of others. In a secret poll only the host's device is told them, as it
 * counts the votes; the others see who has voted, and how many votes each option has.
 */
export type Ballots = "secret" | "open";

/**
 * The time from which results are shown to others than the host: at once, to those who have voted, or once the
 * poll is closed. To everybody once it is closed.
 */
export type Results = "live" | "afterVote" | "afterClose";

/**
 * The part of the votes of others that a side is told: who has voted, the votes of each option, or
 * who chose what.
 */
export type Shown = "turnout" | "tally" | "ballots";

/** What somebody who starts a poll decides. */
export interface PollDraft {
    title: string;
    /** The labels of the first options. */
    options?: string[];
    /** Whether a vote may name several options. Default false. */
    multipleChoice?: boolean;
    /** Default false. */
    votersMayAddOptions?: boolean;
    /** For good. Default `link`. */
    admission?: Admission;
    /** For good. Default `secret`. */
    ballots?: Ballots;
    /** Default `live`. */
    results?: Results;
    /** The time when the host's device closes the poll, in milliseconds as of `Date.now()`. Default: by hand. */
    closesAt?: number | null;
    /** With more people in the poll others are told how many have voted, and not who. For good. Default 256. */
    votersNamedUpTo?: number;
}

/** A host's change of a poll. An absent field changes nothing. */
export interface PollSettings {
    title?: string;
    /**
     * True to refuse votes and options. To reopen a poll takes its deadline away, unless another one comes with it.
     */
    closed?: boolean;
    votersMayAddOptions?: boolean;
    results?: Results;
    /** `null` for no deadline. One that has passed closes the poll at once. */
    closesAt?: number | null;
}

/** A moderator's or host's change of an option. An absent field changes nothing. */
export interface OptionChange {
    label?: string;
    /** True to withdraw it: then nobody can choose it, and votes for it do not count. */
    withdrawn?: boolean;
}

/** The removal of somebody. */
export interface PeerRemoval {
    /** True to let their vote stay. */
    keepVote: boolean;
}

/** A poll, and everything that this side is told of it. The host's side has all. */
export interface Poll {
    pollId: string;
    /** The peer id of who hosts it. */
    owner: string;
    title: string;
    multipleChoice: boolean;
    votersMayAddOptions: boolean;
    /** Whether votes and options are refused. */
    closed: boolean;
    /** The time when the host's device closes it, by its clock: see `Room.clockOffset`. It stays when closed before. */
    closesAt?: number;
    admission: Admission;
    ballots: Ballots;
    results: Results;
    /** The part of the votes of others that is in here. */
    shown: Shown;
    /** The votes of each option in their order, if `shown` is `tally`. `Room.tally` has them whatever is shown. */
    tally?: number[];
    /**
     * The number of people with a vote, in place of `member.voted`, in a poll that shows no choices and has more members than
     * `votersNamedUpTo`. `Room.voters` has it in every poll.
     */
    turnout?: number;
    /** 256 where it is absent. */
    votersNamedUpTo?: number;
    options: PollOption[];
    /** By their peer ids: everybody who voted, has a name or was given a role; with `turnout`, without those who have only voted. */
    members: Record<string, Member>;
}

export interface PollOption {
    optionId: string;
    label: string;
    /** True when it was withdrawn: nobody can choose it, and votes for it do not count. */
    withdrawn?: boolean;
}

export interface Member {
    role: Role;
    profile?: { name: string };
    /** The ids of the options that they chose, with those that were withdrawn since; absent when they have no vote, or when it is not shown. */
    choices?: string[];
    /** True when they have a vote and their choice is not shown. One's own choice always is. */
    voted?: boolean;
    /** True when they were removed: they may do nothing any more, and are not let in. */
    removed?: boolean;
}

/** The result of a poll. */
export interface Tally {
    /** In the order of the poll. */
    options: { optionId: string; votes: number }[];
    /** How many have a vote. In a multiple-choice poll the votes of all options are more. */
    voters: number;
}

/** One device that is connected to the owner, or the owner's own. */
export interface PeerInfo {
    peerId: string;
    device: string;
    online: boolean;
}

/** What was asked for, as it is on the wire. */
export type Command =
    | { type: "poll:vote"; payload: { pollId: string; optionIds: string[] } }
    | { type: "poll:option:add"; payload: { pollId: string; optionId: string; label: string } }
    | { type: "poll:role:update"; payload: { pollId: string; peerId: string; role: Role } }
    | { type: "poll:invitation:issue"; payload: { pollId: string; invitations?: string[]; count?: number } }
    | { type: "poll:invitation:withdraw"; payload: { pollId: string; invitations?: string[]; count?: number } }
    | { type: "poll:invitation:redeem"; payload: { pollId: string; secret?: string } }
    | { type: "user:profile"; payload: { name: string } }
    | { type: "poll:option:update"; payload: { pollId: string; optionId: string } & OptionChange }
    | { type: "poll:peer:remove"; payload: { pollId: string; peerId: string } & PeerRemoval }
    | { type: "poll:peer:readmit"; payload: { pollId: string; peerId: string } }
    | { type: "poll:settings"; payload: { pollId: string } & PollSettings };

/** A command of this device that the owner has not answered. */
export interface Pending {
    commandId: string;
    /** Its number on this device. */
    seq: number;
    command: Command;
    /** On its way to the disk; on the disk; sent on the present connection. */
    state: "queued" | "persisted" | "sent";
}

/** A command that a closed tab had left, and that did not take effect. */
export interface Refusal {
    command: Command;
    code: ErrorCode;
    message: string;
}

/** A poll of the user's own that is stored and cannot be read. */
export interface DamagedPoll {
    /** Absent for records that are left of a poll, and do not say of which. */
    link?: string;
    /** The question, as far as it can be told; may be empty. */
    title: string;
    /** The fault, with the name of the record. */
    message: string;
}

/** A poll of the user's own that is stored and not hosted. */
export interface AsidePoll {
    link: string;
    /** The question. */
    title: string;
    /** It was moved to another device, or archived. */
    reason: "moved" | "archived";
    /** The time, in milliseconds since 1970. */
    at: number;
}

/** The result of an import. */
export interface Imported {
    /** True if the identity is another one since: close this instance, and load the page again. */
    isNewIdentity: boolean;
    /**
     * `added`: it was not here. `advanced`: the file has more of it. `same`: it was here as it is
     * in the file, and is back if it was moved. `newer`: it is newer here, and stayed.
     */
    polls: { link: string; outcome: "added" | "advanced" | "same" | "newer" }[];
}

/** The last argument of a call. */
export interface CallOptions {
    /**
     * Ends the call with the code `aborted`: joining, and waiting for a connection or an outcome. A command
     * is only held back before it is submitted; afterwards it is on its way.
     */
    signal?: AbortSignal;
}

/** How a command ended. It is final. */
export type Outcome =
    | { state: "applied"; revision: number }
    | { state: "rejected"; code: ErrorCode; message: string };

/** The connection to the owner. The owner's own is connected for as long as it hosts the poll. */
export type Connection =
    | { state: "connecting" }
    | { state: "connected" }
    /** `retryAt` is as `Date.now()` has it; `retryInMs` counts from when this object was first given out. */
    | { state: "disconnected"; retryInMs: number; retryAt: number; code: DownCode; reason: string }
    /** For good, until `reconnect` is called. */
    | { state: "refused"; code: ErrorCode; message: string }
    | { state: "closed" };

/**
 * The reason why there is no connection. Beside these it is what the other side has refused with: `busy` is a host
 * without room for more people. With `used-elsewhere` a copy of this profile is in use in another browser: `claim` takes
 * the address back.
 */
export type DownCode =
    | "closed-by-peer"
    | "lost"
    | "not-the-owner"
    | "unreachable"
    | "dial-failed"
    | "used-elsewhere"
    | ErrorCode;

/** Something that happened, to show it anew. */
export type RoomEvent =
    | { type: "connection"; connection: Connection }
    /** The poll is at a new revision. */
    | { type: "poll"; revision: number }
    /** A command of this device is one step further. */
    | { type: "command"; commandId: string; state: Pending["state"] | Outcome["state"] }
    /** These came or went. */
    | { type: "peers"; peers: PeerInfo[] }
    /** Somebody did what they should not have done. The room goes on. */
    | { type: "fault"; peerId?: string; code: ErrorCode; message: string }
    /** The host had no room for somebody, or has room again. What the browser alone refuses, `full()` tells. */
    | { type: "full"; full: boolean }
    /** The host's own data is an old copy; what participants had seen beyond it is lost. */
    | { type: "rolled-back"; have: number; seen: number }
    | { type: "history-replaced"; had: number; has: number }
    /** This page was too slow, and so many events were left out here: read everything anew. */
    | { type: "missed"; count: number }
    /** The last event: the room was closed, or has failed (see `failure`). */
    | { type: "closed" };

/** The events of a room by their names, as `addEventListener` has them. `change` is every one of them. */
export type RoomEvents = { [E in RoomEvent as E["type"]]: CustomEvent<E> } & { change: CustomEvent<RoomEvent> };

export interface Room {
    /** The same as `onChange`, for one kind of event or, as `change`, for all. */
    addEventListener<K extends keyof RoomEvents>(
        type: K,
        listener: (event: RoomEvents[K]) => void,
        options?: boolean | AddEventListenerOptions,
    ): void;
    removeEventListener<K extends keyof RoomEvents>(
        type: K,
        listener: (event: RoomEvents[K]) => void,
        options?: boolean | EventListenerOptions,
    ): void;
}

/**
 * A stable word for programs. Those that a command can be refused with are the wire's; a later version may
 * have more.
 */
export type ErrorCode =
    | "aborted" | "freed" | "hosted-elsewhere" | "owner-offline" | "invalid-command" | "closed"
    | "bad-argument" | "bad-configuration" | "bad-draft" | "no-journal" | "not-damaged" | "outbox-full"
    | "no-window" | "no-webrtc" | "no-locks" | "no-randomness"
    | "storage-full" | "storage-locked" | "storage-closed" | "storage-blocked" | "storage-unavailable"
    | "storage-corrupt" | "storage-failed" | "storage-deleted" | "storage-newer"
    | "taken-over" | "no-answer"
    | "poll-moved" | "poll-archived" | "wrong-passphrase" | "bad-file" | "other-identity" | "poll-forked"
    | "poll-closed" | "not-allowed" | "removed" | "unknown-poll" | "unknown-option" | "option-exists" | "option-withdrawn"
    | "label-exists" | "bad-text" | "single-choice"
    | "duplicate-choice" | "superseded" | "poll-full" | "too-long" | "bad-field" | "busy"
    | "unknown-invitation" | "invitation-used" | "invitation-withdrawn" | "invitation-exists"
    | (string & {});

/** What is thrown, and what promises are rejected with: an `Error` with a `code`. */
export interface HustingsError extends Error {
    name: "HustingsError";
    code: ErrorCode;
}

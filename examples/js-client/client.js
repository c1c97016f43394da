// A participant of a hustings poll in plain JavaScript: stock PeerJS 1.5, WebCrypto and IndexedDB.
//
// It is there to be read next to protocol/PROTOCOL.md and to be ported, and it is used as it is: load
// peerjs.min.js, which makes `Peer`, and then
//
//   const client = await Client.join('<owner>/<poll>', { host: 'localhost', port: 9000 })
//   client.addEventListener('change', () => show(client.state, client.poll, client.pending))
//   client.addEventListener('settled', event => show(event.detail)) // { commandId, revision } or { commandId, code, message }
//   const commandId = await client.vote([client.poll.options[0].optionId])
//
// The key is a CryptoKey that cannot be exported, kept in IndexedDB: a script in the page can sign with it
// while it runs there, and cannot take it away. Nor can its user move to another browser with it.
//
// What it does not do:
// - It only joins. It hosts nothing.
// - A profile is one device and is open in one tab at a time; a second tab is refused.
// - The poll is kept while the page is open, not longer: after a reload it comes from the owner.
// - It believes what the owner says of the poll, once the owner has proved to be the owner. It does not check
//   the rules of polls again, nor ahead of time whether the owner would refuse a command.
// - Commands are refused while the owner is away. Those taken before wait in the outbox for its return.
// - It needs a secure context (HTTPS, or localhost) and a browser with Ed25519 in WebCrypto.

import { Profile } from './profile.js'
import * as wire from './wire.js'
import { Link, Offline } from './wire.js'

export { roleOf, tally, voters } from './wire.js'

const VERSION = 2
const MAX_COMMAND_BYTES = 16 * 1024
/** How many commands may be on their way: as many outcomes as an owner remembers for a device. */
const WINDOW = 64

const REGISTRATION_MS = 10_000
const ECHO_MS = 10_000
const ECHO_AGAIN_MS = 250
const HANDSHAKE_MS = 10_000
const SILENCE_MS = 30_000
/** A timer that runs so much later was slept through: what was not heard meanwhile proves nothing. */
const ASLEEP_MS = 90_000
const STABLE_MS = 10_000
const FIRST_RETRY_MS = 500
const LAST_RETRY_MS = 30_000

/** The code by which a signalling server says that another socket has taken the address over. */
const REPLACED = 4001
/** The number of times that the address is taken back within a while from whoever has it, on a server that does not say so. */
const TAKEN_BACK = 2
const TAKEN_BACK_MS = 600_000
/** The time between two questions whether an address that a copy has is free again. */
const PROBE_EVERY_MS = 60_000

const NOT_THE_OWNER =
  "whoever answers at the owner's address could not prove to be the owner; nothing was sent to them"

/** Trying again by itself is of no use: somebody else answers, or the owner does not want this participant. */
class Refused extends Error {}

/** A copy of this profile has the address: two that take it from each other would never end. */
class Elsewhere extends Error {}

/** A participant of one poll. Fires `change` when any of its fields has changed, and `settled`. */
export class Client extends EventTarget {
  /**
   * One of
   * - `{ name: 'connecting' }`
   * - `{ name: 'connected' }`
   * - `{ name: 'waiting', reason, retryAt }`: tries again at that time, as `Date.now()` has it
   * - `{ name: 'refused', reason }`: tries again when `reconnect()` is called
   * - `{ name: 'elsewhere', reason }`: a copy of this profile is in use in another browser; tries again when
   *   `reconnect()` is called, the page comes into view, or the copy is gone, which is asked once a
   *   minute
   * - `{ name: 'closed' }`
   */
  state = { name: 'connecting' }
  /** The poll as the owner has confirmed it, at `revision`; `undefined` until it has come once. */
  poll
  revision
  #epoch
  /** The owner's mark of the history up to the copy: told by it, and repeated to it. */
  #history
  /** The last own vote that the owner has applied and the copy does not have: the `poll:tally` with it says not for what. */
  #ahead

  #owner
  #pollId
  #room
  #server
  #profile
  #peer
  #link
  #retry = () => {}
  /** Commands without an outcome by their numbers, in this order. */
  #outbox = new Map()
  #nextSeq
  #queued = Promise.resolve()
  /** Whether the owner has proved who it is, on the present link. */
  #isProved = false
  /** Whether an answer to `sync:request` is on its way. */
  #hasAsked = false
  /** The secret of an invitation in the link, until it is redeemed. */
  #invitation
  #joinedAt = 0
  #isElsewhere = false
  /** The moments at which the address was taken back from whoever had it. */
  #takenBack = []

  /**
   * Joins the poll of a room link, which may stand in a text: an address, or what somebody pasted.
   *
   * `server` is where the signalling server is, as PeerJS takes it: `host`, `port`, `path`, `key`, `secure`, and
   * `config` with the ICE servers. A `profile` is a person on this browser.
   */
  static async join(link, server, profile = 'default') {
    const [owner, pollId, invitation] = wire.roomOf(link)
    const client = new Client()
    client.#invitation = invitation
    client.#owner = owner
    client.#pollId = pollId
    client.#room = `${owner}/${pollId}`
    client.#server = server
    client.#profile = await Profile.open(profile)
    const { nextSeq, frames } = await client.#profile.outbox(client.#room)
    client.#nextSeq = nextSeq
    for (const [seq, frame] of frames) client.#outbox.set(seq, { ...JSON.parse(frame), frame, isSent: false })
    client.#run()
    return client
  }

  /** This participant's id. */
  get peerId() {
    return this.#profile.identity.peerId
  }

  /** What was asked for and has no outcome yet: `{ commandId, type, payload }`, in order. */
  get pending() {
    return Array.from(this.#outbox.values(), ({ commandId, type, payload }) => ({ commandId, type, payload }))
  }

  /** Votes for these options, in place of any earlier vote; for none, takes it back. */
  vote(optionIds) {
    return this.submit('poll:vote', { pollId: this.#pollId, optionIds })
  }

  /** Uses the invitation in the link, if this participant may only look. */
  #redeem() {
    const secret = this.#invitation
    this.#invitation = undefined
    if (!secret || wire.roleOf(this.poll, this.peerId) !== 'viewer') return
    // Not waited for: what is queued goes its way, and a refusal is told as that of any command.
    this.submit('poll:invitation:redeem', { pollId: this.#pollId, secret }).catch(() => (this.#invitation = secret))
  }

  /** Asks the owner for something. Resolves with the command's id once it is on the disk. */
  submit(type, payload) {
    const queued = this.#queued.then(async () => {
      if (this.state.name !== 'connected') throw new Offline("the poll's owner is offline")
      const [seq, commandId] = [this.#nextSeq, wire.uuidV7()]
      const frame = JSON.stringify({ type, commandId, seq, ...this.#seen(), payload })
      if (wire.utf8(frame).length > MAX_COMMAND_BYTES) throw new Error('the command is too long')
      await this.#profile.queue(this.#room, seq, frame)
      this.#nextSeq += 1
      this.#outbox.set(seq, { type, commandId, payload, frame, isSent: false })
      this.#sendCommands()
      this.#changed()
      return commandId
    })
    // The next one waits for this one, and does not fail with it.
    this.#queued = queued.catch(() => {})
    return queued
  }

  /** Tries again now. */
  reconnect() {
    this.#retry()
  }

  /** Leaves the poll. What is pending stays in the outbox. */
  close() {
    this.#set({ name: 'closed' })
    this.#link?.end('closed')
    this.#peer?.destroy()
    this.#retry()
    this.#profile.close()
  }

  #set(state) {
    if (this.state.name === 'closed') return
    this.state = state
    this.#changed()
  }

  #changed() {
    this.dispatchEvent(new Event('change'))
  }

  // Dialling, and dialling again.

  async #run() {
    const wake = () => this.state.name === 'waiting' && document.visibilityState === 'visible' && this.#retry()
    // Of several copies the one that is looked at has the address.
    const seen = () => {
      if (document.visibilityState !== 'visible') return
      if (this.state.name === 'elsewhere') return this.#retry()
      // Nobody knows how long it was not looked at, nor what has become of the link.
      if (this.state.name === 'connected') this.#link.send({ type: 'ping', payload: {} })
      wake()
    }
    const leave = () => this.#peer?.destroy()
    addEventListener('online', wake)
    document.addEventListener('visibilitychange', seen)
    // Without a goodbye the owner would take this tab for alive for a while.
    addEventListener('pagehide', leave)
    for (let failures = 0; this.state.name !== 'closed'; failures += 1) {
      this.#set({ name: 'connecting' })
      try {
        await this.#dial()
        await this.#talk(this.#link)
      } catch (error) {
        this.#link?.end(error.message)
        if (this.state.name === 'connected' && Date.now() - this.#joinedAt > STABLE_MS) failures = 0
        const bound = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** failures)
        await this.#pause(error, Math.random() * bound)
      }
    }
    removeEventListener('online', wake)
    document.removeEventListener('visibilitychange', seen)
    removeEventListener('pagehide', leave)
  }

  /** Until it is time to try again, or somebody says so. */
  #pause(error, delay) {
    return new Promise(resolve => {
      this.#retry = () => {
        this.#isElsewhere = false
        this.#takenBack = []
        resolve()
      }
      if (this.state.name === 'closed') return resolve()
      if (error instanceof Elsewhere) {
        this.#set({ name: 'elsewhere', reason: error.message })
        return this.#untilFree(this.#retry)
      }
      if (error instanceof Refused) return this.#set({ name: 'refused', reason: error.message })
      this.#set({ name: 'waiting', reason: error.message, retryAt: Date.now() + delay })
      setTimeout(resolve, delay)
    })
  }

  /** Asks now and then whether the copy has left the address, until this is not the pause any more that `retry` ends. */
  #untilFree(retry) {
    setTimeout(async () => {
      const isOver = () => this.state.name !== 'elsewhere' || this.#retry !== retry
      if (isOver()) return
      const isFree = await this.#isFree()
      if (isOver()) return
      if (isFree) retry()
      else this.#untilFree(retry)
    }, PROBE_EVERY_MS)
  }

  /**
   * True if nobody is registered with the address. Asked as a stranger, with a token that nobody
   * has, so that it is taken from nobody. Resolves once that socket is closed: it must not be what
   * has the address next.
   */
  #isFree() {
    const { secure, host, port, path, key } = this.#peer.options
    const token = wire.base32(wire.random(20))
    const query = new URLSearchParams({ key, id: this.#address, token, version: '1.5.5', probe: '1' })
    return new Promise(resolve => {
      const socket = new WebSocket(`${secure ? 'wss' : 'ws'}://${host}:${port}${path}peerjs?${query}`)
      let isFree = false
      const late = setTimeout(() => socket.close(), REGISTRATION_MS)
      socket.onmessage = ({ data }) => {
        const { type, payload } = wire.parse(data) ?? {}
        // Where nobody is there the server keeps it for the last holder's token, which this profile
        // has, too.
        isFree = type === 'OPEN' || (type === 'ID-TAKEN' && payload?.kept === true)
        socket.close()
      }
      socket.onclose = () => {
        clearTimeout(late)
        resolve(isFree)
      }
    })
  }

  async #dial() {
    if (!(await this.#isRegistered())) await this.#register()
    const connection = this.#peer.connect(this.#owner, { serialization: 'raw', reliable: true })
    if (!connection) throw new Offline('the signalling server cannot be reached')
    this.#link = new Link(connection)
    await this.#link.opened()
  }

  get #address() {
    const { peerId, device } = this.#profile.identity
    return `${peerId}-${device}`
  }

  /** Whether the signalling server knows this device. A socket whose other end is gone looks like any other. */
  async #isRegistered() {
    return this.#isOpen && (await this.#echo(this.#peer, ECHO_MS))
  }

  get #isOpen() {
    const peer = this.#peer
    return Boolean(peer) && !peer.disconnected && !peer.destroyed
  }

  /** Whether a message to oneself comes back from the signalling server in time. PeerJS itself makes nothing of it. */
  #echo(peer, patience) {
    const { socket } = peer
    const [dst, echo] = [this.#address, wire.base32(wire.random(10))]
    return new Promise(resolve => {
      // PeerJS drops it while the socket is not open.
      const ask = () => socket.send({ type: 'CANDIDATE', payload: { echo }, dst })
      const asks = setInterval(() => (peer.disconnected ? settle(false) : ask()), ECHO_AGAIN_MS)
      const ends = setTimeout(() => settle(false), patience)
      const hear = ({ src, payload }) => src === dst && payload?.echo === echo && settle(true)
      const settle = isHeard => {
        clearInterval(asks)
        clearTimeout(ends)
        socket.off('message', hear)
        resolve(isHeard)
      }
      socket.on('message', hear)
      ask()
    })
  }

  /** Makes this device known to the signalling server. PeerJS ends for good over some failures: it is made anew. */
  async #register() {
    const hasFallenSilent = this.#isOpen
    this.#peer?.destroy()
    if (this.state.name === 'closed') throw new Offline('closed')
    this.#takenBack = this.#takenBack.filter(at => Date.now() - at < TAKEN_BACK_MS)
    if (hasFallenSilent && this.#takenBack.length >= TAKEN_BACK) this.#isElsewhere = true
    if (this.#isElsewhere) throw new Elsewhere('this profile is in use elsewhere')
    // The token has the address kept for this device. It could also be shown to be its own by a
    // signature, which PeerJS leaves no way for: see PROTOCOL.md.
    const { token } = this.#profile.identity
    const peer = (this.#peer = new Peer(this.#address, { ...this.#server, token }))
    // PeerJS does not pass the code on.
    peer.socket._socket?.addEventListener('close', ({ code }) => {
      if (peer === this.#peer && code === REPLACED) this.#isElsewhere = true
    })
    await new Promise((resolve, reject) => {
      peer.on('open', resolve)
      // The server does not answer a device that it still knows. But it passes messages on to it,
      // from then on; what PeerJS is told to dial before that is lost, and PeerJS does not say so.
      this.#echo(peer, REGISTRATION_MS).then(isHeard => {
        if (isHeard && !peer.open && hasFallenSilent) this.#takenBack.push(Date.now())
        if (isHeard) resolve()
        else reject(new Offline('the signalling server does not answer'))
      })
      peer.on('disconnected', () => reject(new Offline('the signalling server cannot be reached')))
      peer.on('error', error => {
        reject(new Offline(`the signalling server: ${error.type}`))
        if (error.type === 'peer-unavailable') this.#link?.end('the owner is not there, or has no room for more')
      })
    })
  }

  // A link.

  async #talk(link) {
    const late = setTimeout(() => link.end('the owner has not answered the handshake'), HANDSHAKE_MS)
    try {
      await this.#handshake(link)
    } finally {
      clearTimeout(late)
    }
    // Nothing that was sent on an earlier link is assumed to have arrived.
    for (const command of this.#outbox.values()) command.isSent = false
    this.#hasAsked = false
    this.#isProved = true
    this.#sendCommands()
    let unanswered = 0
    let ranAt = Date.now()
    const watch = setInterval(() => {
      const isAwake = Date.now() - ranAt < SILENCE_MS + ASLEEP_MS
      ranAt = Date.now()
      if (!isAwake) unanswered = 1
      else if (Date.now() - link.heardAt < SILENCE_MS) unanswered = 0
      else if (unanswered === 2) link.end('the owner does not answer')
      else unanswered += 1
      if (unanswered > 0) link.send({ type: 'ping', payload: {} })
    }, SILENCE_MS)
    try {
      for (;;) await this.#receive(link, await link.next())
    } finally {
      clearInterval(watch)
      this.#isProved = false
    }
  }

  async #handshake(link) {
    const { key, peerId, device } = this.#profile.identity
    const bindings = link.bindings()
    const nonce = wire.base32(wire.random(32))
    const [oldestSeq = this.#nextSeq] = this.#outbox.keys()
    const hello = { v: VERSION, pollId: this.#pollId, peerId, device, nonce, oldestSeq }
    if (this.poll) Object.assign(hello, this.#position())
    link.send({ type: 'auth:hello', payload: hello })

    const { type, payload: challenge } = await link.next()
    // Anybody could have said anything else: it is no reason to give up.
    if (type !== 'auth:challenge' || !challenge) throw new Offline('whoever answers does not speak the handshake')
    const signed = {
      owner: this.#owner,
      participant: peerId,
      pollId: this.#pollId,
      device,
      nonces: { participant: nonce, owner: challenge.nonce },
      bindings,
    }
    // It has to be the owner's whose room this is, whoever the challenge says it is.
    if (!(await wire.verify(this.#owner, challenge.signature, wire.transcript('owner', signed)))) throw new Offline(NOT_THE_OWNER)
    if (challenge.v !== VERSION) throw new Refused(`the owner speaks version ${challenge.v}, not ${VERSION}`)
    // Where this outbox is an old copy, the owner knows which numbers were used.
    this.#nextSeq = Math.max(this.#nextSeq, (challenge.lastSeq ?? 0) + 1)
    const signature = await crypto.subtle.sign('Ed25519', key, wire.transcript('participant', signed))
    link.send({ type: 'auth:proof', payload: { signature: wire.base32(new Uint8Array(signature)) } })
  }

  /** Sends what was not sent on this link, in order, and never so far ahead that the owner could have forgotten. */
  #sendCommands() {
    if (!this.#isProved) return
    const [oldest] = this.#outbox.keys()
    for (const [seq, command] of this.#outbox) {
      if (seq >= oldest + WINDOW) return
      if (!command.isSent) this.#link.send(command.frame)
      command.isSent = true
    }
  }

  async #receive(link, { type, payload, ...envelope }) {
    switch (type) {
      case 'poll:state':
        return this.#takeState(payload, envelope)
      case 'poll:tally':
        return this.#takeTally(link, payload, envelope)
      case 'peer:discovery':
        if (this.state.name === 'connected') return
        this.#joinedAt = Date.now()
        this.#set({ name: 'connected' })
        return this.#redeem()
      case 'ack':
        return this.#acknowledged(link, payload)
      case 'error':
        return this.#takeError(payload)
      case 'ping':
        return link.send({ type: 'pong', payload: {} })
    }
    // A later version may have types that are not known here.
    if (!wire.MUTATIONS.includes(type)) return
    const { author, device, commandId, revision, history } = envelope
    this.#update(link, author, type, payload, revision, history)
    await this.#settleOwn({ author, device, commandId, revision })
  }

  /** After a lost link an own command may come among those that were missed. That is as good as the `ack`. */
  async #settleOwn({ author, device, commandId, revision }) {
    const { identity } = this.#profile
    if (author === identity.peerId && device === identity.device) await this.#settle(commandId, { revision })
  }

  #takeState(poll, { epoch, revision, history, ballot }) {
    if (poll.pollId !== this.#pollId || poll.owner !== this.#owner) throw new Offline('the poll is another one')
    if (epoch === this.#epoch && revision <= this.revision) return
    if (epoch !== this.#epoch || this.#ahead?.revision <= revision) this.#ahead = undefined
    this.poll = wire.pollFrom(poll, this.peerId, ballot)
    this.#showAhead()
    this.#epoch = epoch
    this.#history = history
    this.revision = revision
    this.#hasAsked = false
    this.#changed()
  }

  /** This comes in place of the votes of others, where these are not shown, or they are many. */
  async #takeTally(link, payload, { after, revision, history }) {
    if (this.poll && revision < this.revision) return
    if (!this.poll || after > this.revision) return this.#ask(link)
    const { updates = [], choices } = payload
    // It shows more or less than this copy.
    if (!this.poll.shown === !choices) return this.#ask(link)
    const own = this.#ahead
    if (own?.revision <= revision) {
      this.#ahead = undefined
      if (!updates.some(update => update.revision === own.revision)) updates.push(own)
      updates.sort((a, b) => a.revision - b.revision)
    }
    wire.foldTally(this.poll, this.revision, { ...payload, updates })
    this.revision = revision
    this.#history = history
    this.#hasAsked = false
    this.#showAhead()
    this.#changed()
    for (const update of updates) await this.#settleOwn(update)
  }

  /** The choices that were applied are shown, also before the message that has the votes since. */
  #showAhead() {
    if (this.#ahead) wire.setBallot(this.poll, this.peerId, this.#ahead.payload.optionIds)
  }

  #update(link, author, type, payload, revision, history) {
    if (this.poll && revision <= this.revision) return
    if (this.poll && revision === this.revision + 1) {
      wire.fold(this.poll, author, type, payload)
      this.revision = revision
      this.#history = history
      this.#hasAsked = false
      return this.#changed()
    }
    if (this.poll && type === 'poll:vote' && author === this.peerId) {
      if (this.#ahead?.revision >= revision) return
      this.#ahead = { author, type, payload, revision }
      this.#showAhead()
      return this.#changed()
    }
    this.#ask(link)
  }

  /** Something is missing. Until the answer is there everything newer is a gap, too. */
  #ask(link) {
    if (this.#hasAsked) return
    this.#hasAsked = true
    const known = this.poll && this.#position()
    link.send({ type: 'sync:request', ...known, payload: { pollId: this.#pollId } })
  }

  /** The place that this copy is at, which a command says: it may decide between two votes of one person. */
  #seen() {
    return this.poll && { seen: this.revision, epoch: this.#epoch }
  }

  #position() {
    return { epoch: this.#epoch, revision: this.revision, history: this.#history }
  }

  async #acknowledged(link, { commandId, revision, history }) {
    const command = await this.#settle(commandId, { revision })
    // The owner does not send this device its own commands.
    if (command) this.#update(link, this.peerId, command.type, command.payload, revision, history)
  }

  #takeError({ commandId, code, message }) {
    if (commandId) return this.#settle(commandId, { code, message })
    if (this.state.name === 'connected') return console.warn(`the owner says ${code}: ${message}`)
    const isFinal = ['unknown-poll', 'bad-signature'].includes(code)
    throw new (isFinal ? Refused : Offline)(`the owner refused: ${message}`)
  }

  /** A command has its outcome. Returns it, unless that is known already. */
  async #settle(commandId, outcome) {
    const [seq, command] = [...this.#outbox].find(([, command]) => command.commandId === commandId) ?? []
    if (!command) return
    await this.#profile.settle(this.#room, seq)
    this.#outbox.delete(seq)
    this.dispatchEvent(new CustomEvent('settled', { detail: { commandId, ...outcome } }))
    this.#sendCommands()
    this.#changed()
    return command
  }
}

// What goes over the wire and is signed: spellings, signatures, frames, and the poll that they make. Nothing here is
// kept, waits or tries again; client.js does. The words in quotes are the headings of protocol/PROTOCOL.md.

const CONNECT_MS = 15_000
const MAX_FRAME_BYTES = 64 * 1024 * 1024
const MAX_MESSAGES = 256

/** The owner cannot be reached now; the client goes on trying. */
export class Offline extends Error {}

// Texts and bytes: "Frames" in PROTOCOL.md.

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'
export const utf8 = text => new TextEncoder().encode(text)

export function base32(bytes) {
  let text = ''
  let bits = 0
  let held = 0
  for (const byte of bytes) {
    held = ((held << 8) | byte) & 0xfff
    for (bits += 8; bits >= 5; bits -= 5) text += ALPHABET[(held >> (bits - 5)) & 31]
  }
  return bits > 0 ? text + ALPHABET[(held << (5 - bits)) & 31] : text
}

/** The bytes of a text that is exactly this many of them, in the one spelling they have. */
export function fromBase32(text, length) {
  const bytes = []
  let bits = 0
  let held = 0
  for (const letter of text) {
    const value = ALPHABET.indexOf(letter)
    if (value < 0) throw new Error('not base32')
    held = ((held << 5) | value) & 0xfff
    bits += 5
    if (bits >= 8) bytes.push((held >> (bits -= 8)) & 255)
  }
  const result = new Uint8Array(bytes)
  if (result.length !== length || base32(result) !== text) throw new Error(`not ${length} bytes of base32`)
  return result
}

export const random = length => crypto.getRandomValues(new Uint8Array(length))

/** A UUID of version 7: 48 bits of the time in milliseconds, and random ones. */
export function uuidV7(now = Date.now()) {
  const bytes = random(16)
  for (let i = 0; i < 6; i++) bytes[i] = Math.floor(now / 2 ** (8 * (5 - i)))
  bytes[6] = 0x70 | (bytes[6] & 0x0f)
  bytes[8] = 0x80 | (bytes[8] & 0x3f)
  const hex = Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
  return hex.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, '$1-$2-$3-$4-$5')
}

// Who is who: "A link" and "What is signed".

/** The bytes that `side` ("owner" or "participant") signs. The bindings are bytes, the rest is text. */
export function transcript(side, { owner, participant, pollId, device, nonces, bindings }) {
  const texts = [`hustings/2/${side}`, owner, participant, pollId, device, nonces.participant, nonces.owner]
  const fields = [...texts.map(utf8), bindings.owner, bindings.participant]
  const bytes = new Uint8Array(fields.reduce((sum, field) => sum + 4 + field.length, 0))
  let at = 0
  for (const field of fields) {
    new DataView(bytes.buffer).setUint32(at, field.length)
    bytes.set(field, at + 4)
    at += 4 + field.length
  }
  return bytes
}

/** The one SHA-256 fingerprint of a session description. With two of them nobody knows which one counts. */
export function fingerprint(sdp) {
  const found = new Set()
  for (const line of sdp.split(/[\r\n]+/)) {
    if (!/^\s*a\s*=\s*fingerprint\s*:/i.test(line)) continue
    const hex = /^a=fingerprint:sha-256 ((?:[0-9a-f]{2}:){31}[0-9a-f]{2})$/i.exec(line)?.[1]
    if (!hex) throw new Error('a session description with a fingerprint that is not SHA-256')
    found.add(hex.toLowerCase())
  }
  if (found.size !== 1) throw new Error(`a session description with ${found.size} fingerprints`)
  const [only] = found
  return Uint8Array.from(only.split(':'), byte => parseInt(byte, 16))
}

// The y coordinates of the points of small order, and the second spellings of two of them. With such a key one
// signature fits many messages; WebCrypto leaves it open whether they are refused.
const SMALL_ORDER = [
  '00'.repeat(32),
  '01' + '00'.repeat(31),
  'ec' + 'ff'.repeat(30) + '7f',
  'ed' + 'ff'.repeat(30) + '7f',
  'ee' + 'ff'.repeat(30) + '7f',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
]

/** Whether the holder of the key `peerId` has signed `bytes`. */
export async function verify(peerId, signature, bytes) {
  const key = fromBase32(peerId, 32)
  const y = Array.from(key, (byte, i) => (i === 31 ? byte & 0x7f : byte).toString(16).padStart(2, '0')).join('')
  if (SMALL_ORDER.includes(y)) return false
  try {
    const imported = await crypto.subtle.importKey('raw', key, 'Ed25519', false, ['verify'])
    return await crypto.subtle.verify('Ed25519', imported, fromBase32(signature, 64), bytes)
  } catch {
    // No key, or no signature.
    return false
  }
}

// The poll: "Updates" and "Messages".

/**
 * The poll of a `poll:state` with this participant's own `ballot`, which comes beside a poll that
 * does not show each vote. Members are in a Map: ids come from others, and in an object some of
 * them would mean something.
 */
export function pollFrom({ members, ...payload }, peerId, ballot = []) {
  const poll = { ...payload, members: new Map(Object.entries(members)) }
  if (poll.shown && ballot.length > 0) setBallot(poll, peerId, ballot)
  return poll
}

/** Adds what somebody chose to a poll that only says that they have voted. */
export function setBallot(poll, peerId, optionIds) {
  const member = memberOf(poll, peerId)
  member.choices = optionIds
  delete member.voted
}

function memberOf(poll, peerId) {
  if (!poll.members.has(peerId)) poll.members.set(peerId, { role: roleOf(poll, peerId) })
  return poll.members.get(peerId)
}

/** Somebody's role: `viewer`, `voter`, `moderator` or `owner`. */
export function roleOf(poll, peerId) {
  if (peerId === poll.owner) return 'owner'
  return poll.members.get(peerId)?.role ?? (poll.admission === 'invited' ? 'viewer' : 'voter')
}

/** Folds what the owner has applied into the poll. */
export function fold(poll, author, type, payload) {
  const member = peerId => memberOf(poll, peerId)
  switch (type) {
    case 'poll:vote':
      if (poll.tally) recount(poll, member(author).choices, payload.optionIds)
      if (poll.turnout !== undefined) poll.turnout += hasVote(payload.optionIds) - hasVote(member(author).choices)
      setBallot(poll, author, payload.optionIds)
      break
    case 'poll:option:add':
      poll.options.push({ optionId: payload.optionId, label: payload.label })
      poll.tally?.push(0)
      break
    case 'poll:role:update':
      member(payload.peerId).role = payload.role
      break
    case 'poll:settings':
      poll.closed = payload.closed ?? poll.closed
      poll.votersMayAddOptions = payload.votersMayAddOptions ?? poll.votersMayAddOptions
      poll.results = payload.results ?? poll.results
      poll.title = payload.title ?? poll.title
      if (payload.closesAt !== undefined) poll.closesAt = payload.closesAt ?? undefined
      else if (payload.closed === false) delete poll.closesAt
      break
    case 'poll:option:update': {
      const at = poll.options.findIndex(({ optionId }) => optionId === payload.optionId)
      const option = poll.options[at]
      option.label = payload.label ?? option.label
      if (payload.withdrawn === undefined) break
      option.withdrawn = payload.withdrawn
      // Whoever is not shown each vote is told the number with this.
      if (poll.tally) poll.tally[at] = 0
      break
    }
    case 'poll:peer:remove': {
      const removed = member(payload.peerId)
      removed.removed = true
      if (payload.keepVote) break
      if (poll.tally) recount(poll, removed.choices, [])
      delete removed.voted
      delete removed.choices
      break
    }
    case 'poll:peer:readmit':
      delete member(payload.peerId).removed
      break
    case 'poll:invitation:issue':
      poll.invitations.issued += payload.count
      break
    case 'poll:invitation:withdraw':
      poll.invitations.withdrawn += payload.count
      break
    case 'poll:invitation:redeem':
      member(author).role = 'voter'
      poll.invitations.used += 1
      break
    case 'user:profile':
      member(author).profile = payload
  }
}

/** 1 for somebody who chose anything, 0 otherwise. */
const hasVote = (choices = []) => Number(choices.length > 0)

/** One vote in place of another, in a poll that has the votes of each option. */
function recount(poll, before = [], after) {
  const change = (optionIds, by) => {
    for (const id of optionIds) {
      const at = poll.options.findIndex(({ optionId }) => optionId === id)
      if (at >= 0) poll.tally[at] = Math.max(0, poll.tally[at] + by)
    }
  }
  change(before, -1)
  change(after, 1)
}

/**
 * Folds a `poll:tally` into a poll that was at the revision `at`: everything since. Without a `tally`
 * the results are not due (any more), unless there are `choices`: then each vote is shown.
 */
export function foldTally(poll, at, { updates = [], tally, turnout, voted = [], withdrew = [], choices }) {
  for (const { revision, author, type, payload } of updates) if (revision > at) fold(poll, author, type, payload)
  if (choices) {
    for (const [peerId, places] of choices) memberOf(poll, peerId).choices = places.map(at => poll.options[at].optionId)
    return
  }
  for (const peerId of voted) {
    const member = memberOf(poll, peerId)
    // One's own choice is known.
    if (!member.choices?.length) member.voted = true
  }
  for (const peerId of withdrew) delete memberOf(poll, peerId).voted
  if (turnout !== undefined) {
    // Among so many nobody is named any more.
    if (poll.turnout === undefined) for (const member of poll.members.values()) delete member.voted
    poll.turnout = turnout
  }
  poll.tally = tally
  poll.shown = tally ? 'tally' : 'turnout'
}

export const MUTATIONS = [
  'poll:vote', 'poll:option:add', 'poll:option:update', 'poll:role:update', 'poll:settings', 'poll:peer:remove',
  'poll:peer:readmit', 'poll:invitation:issue', 'poll:invitation:withdraw', 'poll:invitation:redeem', 'user:profile',
]

/** The number of votes for each option, by its id; `undefined` while that is not shown. */
export function tally(poll) {
  if (poll.shown === 'turnout') return undefined
  if (poll.tally) return new Map(poll.options.map(({ optionId }, at) => [optionId, poll.tally[at]]))
  const votes = new Map(poll.options.map(({ optionId }) => [optionId, 0]))
  const withdrawn = new Set(poll.options.filter(option => option.withdrawn).map(({ optionId }) => optionId))
  for (const { choices = [] } of poll.members.values()) {
    for (const optionId of choices) if (!withdrawn.has(optionId)) votes.set(optionId, votes.get(optionId) + 1)
  }
  return votes
}

/** The number of people who have voted, which is always shown. */
export function voters(poll) {
  if (poll.turnout !== undefined) return poll.turnout
  return [...poll.members.values()].filter(({ voted, choices }) => voted || choices?.length > 0).length
}

// The channel: "Over PeerJS".

/** One connection to whoever answers at the owner's address: whole messages, and the reason of its end. */
export class Link {
  #connection
  #messages = []
  #pieces = []
  #size = 0
  /** The bytes of the frame whose pieces come, as the first of them has said. */
  #said
  #reason
  #wake = () => {}

  constructor(connection) {
    this.#connection = connection
    this.heardAt = Date.now()
    connection.on('open', () => this.#wake())
    connection.on('data', data => this.#take(data))
    connection.on('close', () => this.end('the link was closed'))
    connection.on('error', error => this.end(`the link broke: ${error.type}`))
    // PeerJS does not say when the other side has died; the browser does.
    const rtc = connection.peerConnection
    rtc.addEventListener('connectionstatechange', () => {
      if (['failed', 'closed'].includes(rtc.connectionState)) this.end('the connection broke')
    })
    // And neither says so when nothing comes of a dial at all.
    setTimeout(() => connection.open || this.end('the owner does not answer'), CONNECT_MS)
  }

  /** Resolves once messages can be sent. Throws the reason if they never can. */
  async opened() {
    while (!this.#connection.open) await this.#change()
  }

  /** What each end of the channel presents. */
  bindings() {
    const { localDescription, remoteDescription } = this.#connection.peerConnection
    return { participant: fingerprint(localDescription.sdp), owner: fingerprint(remoteDescription.sdp) }
  }

  /** The next message. What came before the end of the link is still there; then it throws the reason. */
  async next() {
    while (this.#messages.length === 0) await this.#change()
    const message = this.#messages.shift()
    if (typeof message?.type !== 'string') throw new Offline('whoever answers sends something else than messages')
    return message
  }

  /** Sends a message, or the text of one: a command is the same bytes each time. */
  send(message) {
    if (!this.#reason) this.#connection.send(typeof message === 'string' ? message : JSON.stringify(message))
  }

  /** Ends the link, for the first reason that is given. */
  end(why) {
    if (this.#reason) return
    this.#reason = new Offline(why)
    this.#connection.close()
    this.#wake()
  }

  async #change() {
    if (!this.#reason) await new Promise(resolve => (this.#wake = resolve))
    else throw this.#reason
  }

  /**
   * A frame is one message of text; or pieces, each a flag and then bytes. The flag is the sum of 1 (more follows) and
   * 2 (the first piece, with the length of the whole frame in 4 bytes after the flag).
   */
  #take(data) {
    if (this.#reason) return
    this.heardAt = Date.now()
    if (typeof data === 'string') {
      if (this.#said !== undefined) return this.end('there is a text between the pieces of a frame')
      return this.#arrived(data)
    }
    const view = new DataView(data)
    const flag = data.byteLength > 0 ? view.getUint8(0) : 4
    const [isFirst, isLast] = [(flag & 2) !== 0, (flag & 1) === 0]
    if (flag > 3 || data.byteLength <= (isFirst ? 5 : 1)) return this.end('a piece of a frame is none')
    // A channel that is called reliable can lose pieces nevertheless.
    if (isFirst === (this.#said !== undefined)) return this.end('a piece of a frame is missing')
    if (isFirst) this.#said = view.getUint32(1)
    if (this.#said > MAX_FRAME_BYTES) return this.end('a frame is too long')
    const piece = new Uint8Array(data, isFirst ? 5 : 1)
    this.#pieces.push(piece)
    this.#size += piece.length
    if (isLast ? this.#size !== this.#said : this.#size >= this.#said) {
      return this.end(`a frame of ${this.#said} bytes has ${isLast ? this.#size : 'more'}: a piece is missing or too many`)
    }
    if (!isLast) return
    const decoder = new TextDecoder()
    const texts = this.#pieces.map(piece => decoder.decode(piece, { stream: true }))
    this.#pieces = []
    this.#size = 0
    this.#said = undefined
    this.#arrived(texts.join('') + decoder.decode())
  }

  /** A frame is one message, or a list of them. */
  #arrived(frame) {
    const parsed = parse(frame)
    if (!Array.isArray(parsed)) this.#messages.push(parsed)
    else if (parsed.length > 0 && parsed.length <= MAX_MESSAGES) this.#messages.push(...parsed)
    else return this.end('a batch has no messages, or too many')
    this.#wake()
  }
}

/** The value of a JSON text; `undefined` if it is none. */
export function parse(frame) {
  try {
    return JSON.parse(frame)
  } catch {
    return undefined
  }
}

/**
 * The owner and the poll of the one room link in a text, and the secret of an invitation if it is one: within an address
 * or a sentence, in either case, encoded, or broken over lines. Throws if there is none, or more than one.
 */
export function roomOf(text) {
  // Characters that nobody sees, and those that end or quote a line.
  const plain = `${text}`
    .replace(/[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]|%E2%80%8[B-F]/gi, '')
    .replace(/(=?(\s|%0D|%0A|%20)+>*)+/gi, '')
    .replace(/%(25)*2F/gi, '/')
    .toLowerCase()
  const links = plain.matchAll(/([a-z2-7]{52})\/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})/g)
  const rooms = new Map([...links].map(([link, ...room]) => [link, room]))
  if (rooms.size > 1) throw new Error('there are links to more than one poll in this text')
  const secrets = new Set(Array.from(plain.matchAll(/\/invited\/([a-z2-7]{0,26})/g), ([, secret]) => secret))
  if (secrets.size > 1) throw new Error('there is more than one invitation in this text, and each is for one person')
  const [secret] = secrets
  if (secret !== undefined && secret.length < 26) throw new Error('the invitation in this link is incomplete')
  for (const room of rooms.values()) return [...room, secret]
  throw new Error('there is no link to a poll in this text, or it is incomplete')
}

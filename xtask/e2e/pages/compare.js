// What both pages of the comparison do, with what makes and uses a connection in their own way.

const now = () => performance.now()

const timed = async work => {
  const began = now()
  await work()
  return now() - began
}

// The connection that was made last, whoever made it.
let last
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...args) {
    super(...args)
    last = this
  }
}

// Bytes that WebRTC has sent on it so far: those of the channel, of SCTP and of DTLS.
const sent = async () => {
  const stats = [...(await last.getStats()).values()]
  return stats.find(({ type }) => type === 'transport').bytesSent
}

// Everything once, on a new connection: milliseconds until it is open, round trips and messages in
// a second, and bytes of a message.
export const measure = async (way, { to, roundTrips, messages, serialization }) => {
  const side = await way.open()
  const opening = await timed(() => way.dial(side, to, serialization))
  await way.roundTrips(side, 50)
  const echoed = await timed(() => way.roundTrips(side, roundTrips))
  const before = await sent()
  const streamed = await timed(() => way.stream(side, messages))
  const bytes = ((await sent()) - before) / messages
  way.close(side)
  return { opening, roundTrips: (1000 * roundTrips) / echoed, messages: (1000 * messages) / streamed, bytes }
}

export const port = Number(new URLSearchParams(location.search).get('broker'))

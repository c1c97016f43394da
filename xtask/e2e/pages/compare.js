// What both pages of the comparison do, with what makes and uses a connection in their own way.

const now = () => performance.now()

const timed = async work => {
  const began = now()
  await work()
  return now() - began
}

// Everything once, on a new connection: milliseconds until it is open, round trips and messages in
// a second.
export const measure = async (way, { to, roundTrips, messages }) => {
  const side = await way.open()
  const opening = await timed(() => way.dial(side, to))
  await way.roundTrips(side, 50)
  const echoed = await timed(() => way.roundTrips(side, roundTrips))
  const streamed = await timed(() => way.stream(side, messages))
  way.close(side)
  return { opening, roundTrips: (1000 * roundTrips) / echoed, messages: (1000 * messages) / streamed }
}

export const port = Number(new URLSearchParams(location.search).get('broker'))

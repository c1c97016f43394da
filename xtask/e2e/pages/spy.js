// What the scenarios see and do behind the back of a page. It has to be there before anything else.
(() => {
  // Every peer connection that was made, without keeping it.
  const rtcs = []
  const alive = () => rtcs.map(rtc => rtc.deref()).filter(rtc => rtc && rtc.signalingState !== 'closed')

  const spy = (window.spy = {
    // How many peer connections were made.
    made: 0,
    // The most that were not closed at a time.
    mostAlive: 0,
    // Closes every peer connection without a word to whoever serves it here.
    cut: () => alive().forEach(rtc => rtc.close()),
    // While it is true nothing that is sent on a channel leaves the page.
    silent: false,
    // While it is true nothing that comes on a channel gets to the page.
    deaf: false,
    // While it is the type of a message, frames with such a message get neither out of the page nor
    // to it: they wait here, in their order.
    holds: undefined,
    held: [],
    // Lets what waits go where it was going, or nowhere.
    letGo: () => spy.noLonger().forEach(go => go()),
    lose: () => void spy.noLonger(),
    noLonger: () => {
      spy.holds = undefined
      return spy.held.splice(0)
    },
    // The most bytes that any channel here has had waiting.
    mostBuffered: 0,
    // How often the page came back from the back/forward cache.
    restored: 0,
    // What happened, and when by the clock that all pages of this machine share.
    log: [],
    note: what => spy.log.push([Date.now(), what]),
  })

  const isHeld = (frame, go) => {
    // Large ones are binary. Nobody holds those.
    const held = spy.holds && typeof frame === 'string' && frame.includes(`"type":"${spy.holds}"`)
    if (held) spy.held.push(go)
    return held
  }

  // Only what the other side closes is closing first. What dies is closed without it, after `rtc
  // failed`.
  const watch = channel => {
    channel.addEventListener('closing', () => spy.note('channel closing'))
    // Before anybody else listens.
    channel.addEventListener('message', event => {
      const { data } = event
      const again = () => channel.dispatchEvent(new MessageEvent('message', { data }))
      if (spy.deaf || isHeld(data, again)) event.stopImmediatePropagation()
    })
  }

  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...args) {
      super(...args)
      spy.made += 1
      rtcs.push(new WeakRef(this))
      spy.mostAlive = Math.max(spy.mostAlive, alive().length)
      this.addEventListener('connectionstatechange', () => spy.note(`rtc ${this.connectionState}`))
      this.addEventListener('datachannel', ({ channel }) => watch(channel))
    }
    createDataChannel(...args) {
      const channel = super.createDataChannel(...args)
      watch(channel)
      return channel
    }
  }
  const send = RTCDataChannel.prototype.send
  RTCDataChannel.prototype.send = function (...args) {
    if (spy.silent || isHeld(args[0], () => this.send(...args))) return
    send.apply(this, args)
    spy.mostBuffered = Math.max(spy.mostBuffered, this.bufferedAmount)
  }
  addEventListener('pageshow', event => event.persisted && (spy.restored += 1))
  addEventListener('pagehide', () => localStorage.setItem('left', Date.now()))

  // How many bytes have come on the channels that are open.
  spy.received = async () => {
    let bytes = 0
    for (const rtc of alive()) {
      for (const stats of (await rtc.getStats()).values()) {
        if (stats.type === 'data-channel') bytes += stats.bytesReceived
      }
    }
    return bytes
  }

  // How each connection that works goes: the kinds of the addresses at its two ends.
  spy.ways = async () => {
    const ways = []
    for (const rtc of alive()) {
      const stats = await rtc.getStats()
      for (const { type, selectedCandidatePairId } of stats.values()) {
        const pair = type === 'transport' && stats.get(selectedCandidatePairId)
        if (!pair) continue
        const ends = [pair.localCandidateId, pair.remoteCandidateId].map(id => stats.get(id))
        ways.push(ends.map(end => end?.candidateType).join(' to '))
      }
    }
    return ways
  }

  // The clock of the page, which can be made to run faster. That of everybody else does not.
  const now = performance.now.bind(performance)
  const after = setTimeout
  let speed = 1
  let since = [0, 0]
  performance.now = () => since[1] + (now() - since[0]) * speed
  window.setTimeout = (callback, time, ...args) => after(callback, (time ?? 0) / speed, ...args)
  spy.hurry = factor => {
    since = [now(), performance.now()]
    speed = factor
  }

  // Says of every offer what a signalling server says of one to somebody who is not there, by the
  // clock of the page: after this many milliseconds.
  spy.expireAfter = undefined
  // How many messages with an address of this side's have gone to the signalling server. Not by a
  // regular expression: with one here Chromium 156 throws a page out of its back/forward cache
  // (JavaScriptExecution).
  spy.addresses = 0
  const say = WebSocket.prototype.send
  WebSocket.prototype.send = function (text) {
    const { type, dst } = JSON.parse(text)
    if (text.includes("candidate:")) spy.addresses += 1
    if (spy.expireAfter === undefined || type !== 'OFFER') return say.call(this, text)
    const expired = { data: JSON.stringify({ type: 'EXPIRE', src: dst }) }
    setTimeout(() => this.dispatchEvent(new MessageEvent('message', expired)), spy.expireAfter)
  }
})()

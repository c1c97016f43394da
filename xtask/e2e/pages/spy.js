// What the scenarios see and do behind the back of a page. It has to be there before anything else.
(() => {
  // Every peer connection that was made, without keeping it.
  const rtcs = []
  const spy = (window.spy = {
    // How many peer connections were made.
    made: 0,
    // How many are not closed.
    live: () => alive().length,
    // Closes every peer connection without a word to whoever serves it here.
    cut: () => alive().forEach(rtc => rtc.close()),
    // While it is true nothing that is sent on a channel leaves the page.
    dumb: false,
    // The most bytes that any channel here has had waiting.
    mostBuffered: 0,
    // How often the page came back from the back/forward cache.
    restored: 0,
    // What happened, and when by the clock that all pages of this machine share.
    log: [],
    note: what => spy.log.push([Date.now(), what]),
  })
  const alive = () => rtcs.map(rtc => rtc.deref()).filter(rtc => rtc && rtc.signalingState !== 'closed')

  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...args) {
      super(...args)
      spy.made += 1
      rtcs.push(new WeakRef(this))
      this.addEventListener('connectionstatechange', () => spy.note(`rtc ${this.connectionState}`))
    }
  }
  const send = RTCDataChannel.prototype.send
  RTCDataChannel.prototype.send = function (...args) {
    if (spy.dumb) return
    send.apply(this, args)
    spy.mostBuffered = Math.max(spy.mostBuffered, this.bufferedAmount)
  }
  addEventListener('pageshow', event => event.persisted && (spy.restored += 1))
  addEventListener('pagehide', () => localStorage.setItem('left', Date.now()))
})()

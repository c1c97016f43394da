// Stands for PeerServer's classes and for the sockets that its tests make believe: a broker for
// each realm, in a process of its own, and real sockets to it.
import { afterAll } from '@jest/globals'
import { execFileSync, spawn } from 'node:child_process'
import * as ws from 'ws'

const running = []
afterAll(() => running.forEach(broker => broker.kill()))

// The realm behind each address that a test has made a server for.
const realms = new Map()

export class Realm {
  start({ key, concurrent_limit: limit }) {
    this.key = key
    this.port ??= new Promise((resolve, reject) => {
      const args = ['--host', '127.0.0.1', '--port', '0', '--key', key, '--allow-discovery']
      const broker = spawn(process.env.HUSTINGS_E2E_BROKER, args, {
        env: { ...process.env, HUSTINGS_BROKER_MAX_PEERS: String(limit) },
        stdio: ['ignore', 'pipe', 'inherit']
      })
      running.push(broker)
      broker.on('exit', () => reject(new Error('the broker has ended')))
      broker.stdout.once('data', text => resolve(Number(/listening at \S+:(\d+)/.exec(text)[1])))
    })
    this.port.then(port => (this.known = port), console.error)
  }

  // The tests want the answer at once.
  getClientsIds() {
    const ask = `fetch('http://127.0.0.1:${this.known}/${this.key}/peers').then(async r => console.log(await r.text()))`
    return JSON.parse(execFileSync(process.execPath, ['-e', ask]))
  }

  getClientById() {}
}

export class Server {
  constructor(url) {
    this.url = url
  }
  on() {}
  close() {}
  stop() {}
}

export class WebSocketServer {
  constructor({ server, realm, config }) {
    realm.start(config)
    realms.set(server.url, realm)
  }
}

export class WebSocket {
  constructor(url) {
    const Socket = ws.WebSocket ?? ws.default
    const query = url.split('?')[1] ?? ''
    this.socket = realms.get(url).port.then(port => {
      const socket = new Socket(`ws://127.0.0.1:${port}/peerjs?${query}`)
      socket.on('message', data => this.onmessage?.({ data: String(data) }))
      return socket
    })
  }

  close() {
    this.socket.then(socket => socket.close())
  }
}

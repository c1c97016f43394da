// What a participant keeps: who it is, and its commands that have no outcome. Everything is in IndexedDB, and durable
// once the promise has resolved.

import { base32, random } from './wire.js'

/** A profile in IndexedDB, held by a lock against other tabs. */
export class Profile {
  static async open(name) {
    const profile = new Profile()
    profile.release = await Profile.#lock(`hustings-js-client/${name}`)
    try {
      profile.db = await new Promise((resolve, reject) => {
        const request = indexedDB.open(`hustings-js-client/${name}`, 1)
        request.onupgradeneeded = () => {
          for (const store of ['kept', 'outbox']) request.result.createObjectStore(store)
        }
        request.onsuccess = () => resolve(request.result)
        request.onerror = () => reject(request.error)
      })
      profile.identity = await profile.#identity()
      return profile
    } catch (error) {
      profile.close()
      throw error
    }
  }

  /** Takes a lock that nobody may have already. Resolves with what gives it back. */
  static #lock(name) {
    return new Promise((resolve, reject) => {
      const hold = lock => {
        if (!lock) throw new Error('another tab has this profile open')
        return new Promise(resolve)
      }
      navigator.locks.request(name, { ifAvailable: true }, hold).catch(reject)
    })
  }

  /** Resolves once what `work` asks of the two stores is on the disk, with the result of its request. */
  #commit(work) {
    return new Promise((resolve, reject) => {
      const transaction = this.db.transaction(['kept', 'outbox'], 'readwrite', { durability: 'strict' })
      const request = work(transaction.objectStore('kept'), transaction.objectStore('outbox'))
      transaction.oncomplete = () => resolve(request?.result)
      transaction.onabort = () => reject(transaction.error)
    })
  }

  /** The key pair, the device and the token that lets this device have its address again after a reload. */
  async #identity() {
    const kept = await this.#commit(kept => kept.get('identity'))
    if (kept) return kept
    const keys = await crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify'])
    const peerId = base32(new Uint8Array(await crypto.subtle.exportKey('raw', keys.publicKey)))
    const identity = { key: keys.privateKey, peerId, device: base32(random(5)), token: base32(random(20)) }
    await this.#commit(kept => kept.put(identity, 'identity'))
    return identity
  }

  /** The number of the next command in a room, and the frames of those that have no outcome, by their numbers. */
  async outbox(room) {
    const all = IDBKeyRange.bound([room, 0], [room, Infinity])
    const nextSeq = await this.#commit(kept => kept.get(`next ${room}`))
    const seqs = await this.#commit((_, outbox) => outbox.getAllKeys(all))
    const frames = await this.#commit((_, outbox) => outbox.getAll(all))
    return { nextSeq: nextSeq ?? 1, frames: seqs.map(([, seq], i) => [seq, frames[i]]) }
  }

  /** Keeps a command, and that the next one has the next number. */
  queue(room, seq, frame) {
    return this.#commit((kept, outbox) => {
      outbox.put(frame, [room, seq])
      kept.put(seq + 1, `next ${room}`)
    })
  }

  /** Forgets a command that has its outcome. */
  settle(room, seq) {
    return this.#commit((_, outbox) => void outbox.delete([room, seq]))
  }

  close() {
    this.db?.close()
    this.release()
  }
}


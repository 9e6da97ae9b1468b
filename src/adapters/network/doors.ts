/**
 * Doors: counts strangers, and what each sends, from the first byte on. What comes in before admission must not cost
 * memory, however many come at once and however slowly they speak.
 */

/** What it needs of a raw connection; its `timeline` is the same object as that of what is made of it. */
export interface RawConnection {
  readonly timeline: object
  abort(error: Error): void
  addEventListener(type: 'close', listener: () => void): void
}

export interface DoorLimits {
  /** Most strangers at a time: connections of whatever state that were not admitted. */
  readonly strangersMax: number
  /** What a stranger may send, handshakes included; bytes. */
  readonly strangerBytesMax: number
  /** Most connections that others have dialled. */
  readonly inboundMax: number
}

export class Doors {
  readonly #limits: DoorLimits
  readonly #guests = new WeakMap<object, Guest>()
  #strangers = 0
  #inbound = 0

  constructor(limits: DoorLimits) {
    this.#limits = limits
  }

  /** False: no room. */
  enter(raw: RawConnection): boolean {
    const { strangersMax, inboundMax } = this.#limits
    if (this.#strangers >= strangersMax || this.#inbound >= inboundMax) return false
    const guest = this.watch(raw)
    this.#strangers++
    this.#inbound++
    guest.leaves = () => this.#strangers--
    raw.addEventListener('close', () => {
      this.#inbound--
      guest.leaves()
      guest.leaves = () => {}
    })
    return true
  }

  /** Ends the connection if it sends too much before it is admitted. */
  watch(raw: RawConnection): Guest {
    const guest: Guest = { isAdmitted: false, leaves: () => {} }
    this.#guests.set(raw.timeline, guest)
    // By way of a method that the socket's listener calls: another listener of its messages would take what arrives
    // while nobody else listens, between two steps of the handshake.
    const receiver = raw as unknown as { onData(bytes: Uint8Array): void }
    const onData = receiver.onData.bind(raw)
    let bytes = 0
    receiver.onData = data => {
      if (!guest.isAdmitted) {
        bytes += data.byteLength
        if (bytes > this.#limits.strangerBytesMax) {
          raw.abort(new Error('a stranger sends too much'))
          return
        }
      }
      onData(data)
    }
    return guest
  }

  admit(connection: { readonly timeline: object }): void {
    const guest = this.#guests.get(connection.timeline)
    if (guest === undefined || guest.isAdmitted) return
    guest.isAdmitted = true
    guest.leaves()
    guest.leaves = () => {}
  }
}

interface Guest {
  isAdmitted: boolean
  /** It is no stranger any more, or gone. */
  leaves: () => void
}

/**
 * A TCP proxy that stands between a client and a broker and fails on a seed. Each connection has one
 * fault coming, after some number of bytes towards the broker:
 *
 *     replyCut      the request passes whole; the connection breaks before its reply, or in the middle of it
 *     requestCut    half of what came passes, then the connection breaks
 *     stray         the connection breaks towards the client; what was in it reaches the broker later
 *     stall         nothing passes for a while
 *     silence       requests pass, no reply does any more, and after a while the connection breaks
 */

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import type { SeededRandom } from './random.ts'

export const FAULTS = ['replyCut', 'requestCut', 'stray', 'stall', 'silence'] as const
export type Fault = (typeof FAULTS)[number]

export interface CuttingProxyOptions {
  readonly targetPort: number
  readonly random: SeededRandom
  /** How often each fault is drawn, relative to the others. */
  readonly weights?: Readonly<Record<Fault, number>>
  /** No connection passes more than this: larger than a request, or no large one ever arrives. */
  readonly bytesBeforeFaultMax?: number
}

const WEIGHTS: Readonly<Record<Fault, number>> = {
  replyCut: 10,
  requestCut: 4,
  stray: 5,
  stall: 3,
  silence: 1,
}
/** Some connections fail at their first request, some after hundreds. */
const BYTES_BEFORE_FAULT_MAX = 200_000
const DELAY_MS_MAX = 400
const SILENCE_MS = 1_000

export class CuttingProxy implements AsyncDisposable {
  readonly #server: Server
  readonly #options: CuttingProxyOptions
  readonly #sockets = new Set<Socket>()
  /** True: everything passes from now on. */
  isCalm = false
  /** How often each fault has happened. */
  readonly counts: Record<Fault, number> = {
    replyCut: 0,
    requestCut: 0,
    stray: 0,
    stall: 0,
    silence: 0,
  }

  private constructor(options: CuttingProxyOptions) {
    this.#options = options
    this.#server = createServer((near) => this.#connected(near))
  }

  static async start(options: CuttingProxyOptions): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(options)
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  get total(): number {
    return Object.values(this.counts).reduce((sum, count) => sum + count, 0)
  }

  /** Ends faults; what hangs in a silent connection is cut, so that its client hears of it. */
  calm(): void {
    this.isCalm = true
    for (const socket of this.#sockets) socket.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.calm()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #connected(near: Socket): void {
    const far = connect({ port: this.#options.targetPort, host: '127.0.0.1', noDelay: true })
    near.setNoDelay(true)
    for (const socket of [near, far]) {
      this.#sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => this.#sockets.delete(socket))
    }
    new Passage(this, near, far, this.#options)
  }
}

/** One connection through the proxy. */
class Passage {
  readonly #proxy: CuttingProxy
  readonly #near: Socket
  readonly #far: Socket
  readonly #random: SeededRandom
  readonly #weights: Readonly<Record<Fault, number>>
  readonly #bytesMax: number
  #fault: Fault = 'stall'
  #bytesLeft = 0
  /** The fault has happened, or waits for the reply. */
  #isFaulty = false
  /** From here on the broker's side lives on without the client's. */
  #isStray = false

  constructor(
    proxy: CuttingProxy,
    near: Socket,
    far: Socket,
    { random, weights, bytesBeforeFaultMax }: CuttingProxyOptions,
  ) {
    this.#proxy = proxy
    this.#near = near
    this.#far = far
    this.#random = random.fork()
    this.#weights = weights ?? WEIGHTS
    this.#bytesMax = bytesBeforeFaultMax ?? BYTES_BEFORE_FAULT_MAX
    this.#draw()
    near.on('data', (chunk) => this.#request(chunk))
    far.on('data', (chunk) => this.#reply(chunk))
    near.on('close', () => {
      if (!this.#isStray) far.destroy()
    })
    far.on('close', () => near.destroy())
  }

  /** What happens next, and when. */
  #draw(): void {
    this.#fault = drawn(this.#random, this.#weights)
    this.#bytesLeft = Math.floor(this.#bytesMax ** this.#random.next())
    this.#isFaulty = false
  }

  #request(chunk: Buffer): void {
    this.#bytesLeft -= chunk.length
    const isDue = this.#bytesLeft <= 0 && !this.#isFaulty && !this.#proxy.isCalm
    if (!isDue) {
      this.#far.write(chunk)
      return
    }
    this.#isFaulty = true
    this.#proxy.counts[this.#fault] += 1
    this.#happen(chunk)
  }

  #happen(chunk: Buffer): void {
    switch (this.#fault) {
      case 'requestCut':
        this.#isStray = true
        this.#far.end(chunk.subarray(0, this.#random.below(chunk.length)))
        this.#near.destroy()
        break
      case 'stray':
        this.#isStray = true
        this.#near.destroy()
        setTimeout(() => this.#far.end(chunk), this.#random.below(DELAY_MS_MAX))
        break
      case 'stall':
        this.#near.pause()
        this.#far.pause()
        setTimeout(() => {
          this.#far.write(chunk)
          this.#near.resume()
          this.#far.resume()
          this.#draw()
        }, this.#random.below(DELAY_MS_MAX))
        break
      case 'silence':
        this.#far.write(chunk)
        setTimeout(() => this.#near.destroy(), SILENCE_MS)
        break
      default:
        this.#far.write(chunk)
    }
  }

  #reply(chunk: Buffer): void {
    if (!this.#isFaulty || this.#fault === 'stall') this.#near.write(chunk)
    else if (this.#fault === 'replyCut' && !this.#near.writableEnded) {
      this.#near.write(chunk.subarray(0, this.#random.below(chunk.length)))
      this.#near.destroySoon()
      this.#far.destroy()
    }
  }
}

function drawn(random: SeededRandom, weights: Readonly<Record<Fault, number>>): Fault {
  const total = FAULTS.reduce((sum, fault) => sum + weights[fault], 0)
  let left = random.next() * total
  for (const fault of FAULTS) {
    left -= weights[fault]
    if (left < 0) return fault
  }
  return 'replyCut'
}

/**
 * Workers of a group, three kinds: one that polls, one whose connection is the member, and one that heartbeats,
 * reads pages and commits offsets by itself. Each lives until it is told to leave or is killed, goes on over
 * restarts of the broker as a new member, and writes down what it was told, given and answered.
 */

import { createInterface } from 'node:readline'
import {
  type Answer,
  NoAnswer,
  now,
  Refused,
  sleep,
  WorkerConnection,
} from './worker-connection.ts'
import type { GhostCommit, WorkerOptions } from './worker-options.ts'

interface Place {
  readonly partition: number
  readonly offset: number
}

interface RevokedPlace {
  readonly partition: number
  readonly token: string
}

const RETRY_MS = 50
/** As long as a broker may need to come back. */
const TRIES_MAX = 400
const HEARTBEAT_MS = 300
const PAGE_RECORDS = 100
const WORK_MS_MAX = 30
const POLL_WAIT_MS = 500
/** A stream's records are committed when so many have come, or after a moment. */
const STREAM_COMMIT_RECORDS = 5_000
const STREAM_COMMIT_MS = 100

export class GroupWorker {
  readonly #options: WorkerOptions
  readonly #connection: WorkerConnection
  #member = ''
  #isLeaving = false
  /** It is a member still, and joins again as what it was. */
  #isFenced = false
  /** The last commit made or due for each partition, for whoever makes it when it is too late. */
  readonly #lastCommits = new Map<number, GhostCommit>()

  constructor(options: WorkerOptions) {
    this.#options = options
    this.#connection = new WorkerConnection(options.port)
  }

  get memberId(): string {
    return this.#member
  }

  /** Resolves when it has left or was killed. */
  async run(): Promise<void> {
    while (!this.#isLeaving && !this.#connection.isDead) {
      try {
        if (this.#options.kind === 'poll') await this.#poll()
        else if (this.#options.kind === 'stream') await this.#stream()
        else await this.#heartbeat()
      } catch (error) {
        if (!(error instanceof NoAnswer) && !(error instanceof Refused)) throw error
        this.#break()
        this.#isFenced = error instanceof Refused && error.code === 'FENCED_MEMBER_EPOCH'
        await sleep(RETRY_MS)
      }
    }
    this.#break()
    this.#connection.kill()
  }

  leave(): void {
    this.#isLeaving = true
  }

  kill(): void {
    this.#connection.kill()
    for (const partition of this.#lastCommits.keys()) this.#leaveBehind(partition)
    this.#options.history.add({ kind: 'death', member: this.#member, at: now() })
  }

  /** What it was told, it can not count on any more. */
  #break(): void {
    this.#options.history.add({ kind: 'break', member: this.#member, at: now() })
  }

  /** What it could commit now. */
  get lastCommits(): readonly GhostCommit[] {
    return [...this.#lastCommits.values()]
  }

  get #pageRecords(): number {
    return this.#options.pageRecords ?? PAGE_RECORDS
  }

  get #groupPath(): string {
    return `/v1/groups/${this.#options.group}`
  }

  async #joined(): Promise<Answer> {
    const { topic, sessionTimeoutMs, rebalanceTimeoutMs } = this.#options
    const asBefore = this.#isFenced ? { memberId: this.#member } : {}
    const joining = { ...asBefore, topics: [topic], sessionTimeoutMs, rebalanceTimeoutMs }
    const invokedAt = now()
    const answer = await this.#well('POST', `${this.#groupPath}/members`, joining)
    this.#become(answer.document.memberId as string)
    this.#told(answer.document.assignment, invokedAt)
    if (this.#isFenced) this.#options.onFenced?.()
    return answer
  }

  /** A member ends as such when its worker begins again under another name. */
  #become(memberId: string): void {
    for (const partition of this.#lastCommits.keys()) this.#leaveBehind(partition)
    this.#lastCommits.clear()
    if (this.#member !== '' && this.#member !== memberId) {
      this.#options.history.add({ kind: 'death', member: this.#member, at: now() })
    }
    this.#member = memberId
  }

  #told(assignment: unknown, invokedAt: number): void {
    const partitions = (assignment as { partition: number }[]).map(({ partition }) => partition)
    const { history } = this.#options
    history.add({
      kind: 'assignment',
      member: this.#member,
      partitions,
      invokedAt,
      endedAt: now(),
    })
  }

  async #work(): Promise<void> {
    await sleep(this.#options.random.below(this.#options.workMsMax ?? WORK_MS_MAX))
  }

  // ---- by polling

  async #poll(): Promise<void> {
    await this.#joined()
    const path = `${this.#groupPath}/members/${this.#member}/poll`
    let token: string | undefined
    /** Where the page with that token ended, in partitions it had records of. */
    let done: Place[] = []
    while (!this.#isLeaving) {
      const invokedAt = now()
      const tokens = token === undefined ? {} : { after: token, commit: token }
      const body = { ...tokens, limit: this.#pageRecords, waitMs: POLL_WAIT_MS }
      const { document } = await this.#well('POST', path, body)
      const fenced = new Set(((document.fenced as Place[]) ?? []).map(({ partition }) => partition))
      for (const place of done) this.#committed(place, invokedAt, !fenced.has(place.partition))
      this.#told(document.assignment, invokedAt)
      token = document.token as string
      done = this.#given(document.records as Place[])
      await this.#work()
    }
    if (token !== undefined) {
      const { after: _, ...commit } = { after: token, commit: token, limit: 1 }
      const invokedAt = now()
      const { document } = await this.#well('POST', path, commit)
      const fenced = ((document.fenced as Place[]) ?? []).map(({ partition }) => partition)
      for (const place of done) this.#committed(place, invokedAt, !fenced.includes(place.partition))
    }
    await this.#left()
  }

  // ---- by heartbeats

  async #heartbeat(): Promise<void> {
    const { document: joined } = await this.#joined()
    let memberEpoch = joined.memberEpoch as number
    const next = new Map<number, number>()
    const take = (assignment: unknown) => {
      const places = assignment as Place[]
      for (const partition of [...next.keys()]) {
        if (!places.some((place) => place.partition === partition)) {
          this.#leaveBehind(partition)
          next.delete(partition)
        }
      }
      for (const { partition, offset } of places) {
        if (!next.has(partition)) next.set(partition, offset)
      }
    }
    take(joined.assignment)
    let beatAt = now()
    while (!this.#isLeaving) {
      if (now() - beatAt >= HEARTBEAT_MS) {
        beatAt = now()
        const owned = [...next.keys()].map((partition) => ({
          topic: this.#options.topic,
          partition,
        }))
        const path = `${this.#groupPath}/members/${this.#member}/heartbeat`
        const { document } = await this.#well('POST', path, { memberEpoch, owned })
        memberEpoch = document.memberEpoch as number
        this.#told(document.assignment, beatAt)
        take(document.assignment)
      }
      for (const [partition, from] of [...next])
        await this.#page(partition, from, memberEpoch, next)
      await this.#work()
    }
    await this.#left()
  }

  async #page(
    partition: number,
    from: number,
    memberEpoch: number,
    next: Map<number, number>,
  ): Promise<void> {
    const page = `/v1/topics/${this.#options.topic}/partitions/${partition}/records`
    const { document } = await this.#well('GET', `${page}?from=${from}&limit=${this.#pageRecords}`)
    const [place] = this.#given(document.records as Place[])
    if (place === undefined) return
    next.set(partition, place.offset)
    const offsets = [{ topic: this.#options.topic, ...place }]
    const body = { memberId: this.#member, memberEpoch, offsets }
    const path = `${this.#groupPath}/offsets`
    this.#lastCommits.set(partition, { ...place, member: this.#member, method: 'PUT', path, body })
    const invokedAt = now()
    const answer = await this.#patiently('PUT', path, body)
    this.#committed(place, invokedAt, answer.status === 200)
    if (answer.status !== 200) throw new Refused(answer)
  }

  // ---- by a stream

  async #stream(): Promise<void> {
    const { topic, rebalanceTimeoutMs } = this.#options
    const query = `topics=${topic}&rebalanceTimeoutMs=${rebalanceTimeoutMs}`
    const message = await this.#connection.open('GET', `${this.#groupPath}/records?${query}`)
    if (message.statusCode !== 200) {
      message.destroy()
      throw new NoAnswer(`status ${message.statusCode}`)
    }
    const held = new Set<number>()
    /** Where each partition goes on after what came of it. */
    const givenTo = new Map<number, number>()
    let tokens = new Map<number, { place: Place; token: string }>()
    let committing: Promise<void> = Promise.resolve()
    let uncommitted = 0
    const commit = () => {
      uncommitted = 0
      const batch = tokens
      tokens = new Map()
      committing = committing.then(() => this.#commitTokens(batch))
      committing.catch(() => {})
    }
    const timer = setInterval(commit, STREAM_COMMIT_MS)
    try {
      for await (const line of createInterface({ input: message })) {
        const said = JSON.parse(line)
        if ('offset' in said) {
          const [place] = this.#given([said])
          tokens.set(place!.partition, { place: place!, token: said.token })
          givenTo.set(place!.partition, place!.offset)
          this.#rememberToken(place!, said.token)
          if (++uncommitted >= STREAM_COMMIT_RECORDS) commit()
        } else if ('assigned' in said) {
          if (this.#member !== said.assigned.memberId) this.#become(said.assigned.memberId)
          for (const { partition } of said.assigned.partitions) held.add(partition)
          this.#toldBy(held)
        } else if ('reset' in said) {
          givenTo.clear()
          this.#options.onFenced?.()
        } else if ('revoked' in said) {
          for (const { partition, token } of said.revoked as RevokedPlace[]) {
            held.delete(partition)
            this.#leaveBehind(partition)
            const offset = givenTo.get(partition)
            if (offset === undefined) continue
            tokens.set(partition, { place: { partition, offset }, token })
            givenTo.delete(partition)
          }
          // With that it goes to others at once.
          commit()
          this.#toldBy(held)
        }
        if (this.#isLeaving) break
      }
      if (this.#isLeaving) {
        commit()
        await committing
      }
    } catch (error) {
      throw error instanceof Refused ? error : new NoAnswer(String(error))
    } finally {
      clearInterval(timer)
      message.destroy()
      this.#break()
      this.#options.history.add({ kind: 'death', member: this.#member, at: now() })
    }
  }

  #toldBy(held: ReadonlySet<number>): void {
    const at = now()
    const { history } = this.#options
    history.add({
      kind: 'assignment',
      member: this.#member,
      partitions: [...held],
      invokedAt: at,
      endedAt: at,
    })
  }

  async #commitTokens(batch: Map<number, { place: Place; token: string }>): Promise<void> {
    if (batch.size === 0) return
    const entries = [...batch.values()]
    const invokedAt = now()
    const body = { tokens: entries.map(({ token }) => token) }
    const answer = await this.#connection.ask('POST', `${this.#groupPath}/commit`, body)
    const results = (answer.document.offsets ?? []) as { partition: number; error?: unknown }[]
    if (results.length === 0) return
    for (const [index, { place }] of entries.entries()) {
      this.#committed(place, invokedAt, results[index]?.error === undefined)
    }
  }

  #rememberToken(place: Place, token: string): void {
    const path = `${this.#groupPath}/commit`
    const body = { tokens: [token] }
    const member = this.#member
    this.#lastCommits.set(place.partition, { ...place, member, method: 'POST', path, body })
  }

  // ---- what all of them do

  /** Writes down what came; says where each partition goes on. */
  #given(records: readonly Place[]): Place[] {
    const next = new Map<number, number>()
    for (const { partition, offset } of records) {
      this.#options.history.gave(partition, offset)
      next.set(partition, offset + 1)
    }
    return [...next].map(([partition, offset]) => ({ partition, offset }))
  }

  #leaveBehind(partition: number): void {
    const commit = this.#lastCommits.get(partition)
    if (commit !== undefined) this.#options.leaveBehind(commit)
  }

  #committed(place: Place, invokedAt: number, isAccepted: boolean): void {
    const event = { kind: 'commit', member: this.#member, ...place } as const
    this.#options.history.add({ ...event, invokedAt, endedAt: now(), isAccepted })
  }

  async #left(): Promise<void> {
    await this.#well('DELETE', `${this.#groupPath}/members/${this.#member}`)
    this.#options.history.add({ kind: 'death', member: this.#member, at: now() })
  }

  /** @throws Refused for any other answer than a good one. */
  async #well(method: string, path: string, body?: unknown): Promise<Answer> {
    const answer = await this.#patiently(method, path, body)
    if (answer.status >= 300) throw new Refused(answer)
    return answer
  }

  /** Again, just as it was, until there is an answer. */
  async #patiently(method: string, path: string, body?: unknown): Promise<Answer> {
    for (let tries = 1; ; tries++) {
      try {
        const answer = await this.#connection.ask(method, path, body)
        if (answer.status !== 503) return answer
      } catch (error) {
        if (!(error instanceof NoAnswer) || this.#connection.isDead) throw error
        this.#break()
      }
      if (tries === TRIES_MAX) throw new NoAnswer(`${method} ${path}`)
      await sleep(RETRY_MS)
    }
  }
}

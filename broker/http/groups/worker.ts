/**
 * A worker in one request: the connection is the member. Turns what the membership gains and loses into
 * places that the stream reads, and into what the reader is told before the records that follow from it.
 * Nothing is committed here: bytes in a socket are not read. What tokens it is given beside those of records
 * is `given-places.ts`.
 */

import type { AssignedPartition } from '../../../client/api/schemas/groups.ts'
import type { BrokerContext } from '../../context.ts'
import { placeKey } from '../../groups/place-key.ts'
import { encodeToken } from '../../groups/tokens.ts'
import { Place } from '../streams/place.ts'
import type { PlaceChange, PlaceSource, RecordStream } from '../streams/stream.ts'
import type { PlaceSurroundings } from '../streams/stream-places.ts'
import { CheckpointTurns, GivenPlace } from './given-places.ts'
import { Membership, type MembershipChange, type MembershipOptions } from './membership.ts'
import { noteBytes, type WorkerLook, type WorkerNote, workerRendering } from './worker-format.ts'

export interface WorkerOptions {
  readonly context: BrokerContext
  readonly groupId: string
  readonly join: MembershipOptions['join']
  readonly look: WorkerLook
  readonly surroundings: PlaceSurroundings
}

export class GroupWorker implements PlaceSource {
  readonly untilMs = undefined
  readonly tellsAfterChunks = false
  readonly canEnd = false
  /** Without it, it hears with a heartbeat what it has instead. */
  readonly outlivesTopics = true
  readonly #options: WorkerOptions
  /** What the member has. */
  readonly #places = new Map<string, GivenPlace>()
  readonly #turns = new CheckpointTurns()
  /** What the stream reads: the same, as of the last `change`. */
  #active: readonly Place[] = []
  #membership!: Membership
  #stream: RecordStream | undefined
  /** What is to happen at the next `change`. */
  #added: Place[] = []
  #removed: Place[] = []
  #told: (() => Buffer)[] = []
  #failure: { readonly error: unknown } | undefined

  private constructor(options: WorkerOptions) {
    this.#options = options
  }

  /** Joins the group. @throws SpoolError as it refuses. */
  static async join(options: WorkerOptions): Promise<GroupWorker> {
    const worker = new GroupWorker(options)
    const { context, groupId, join } = options
    const membership = await Membership.join({
      context,
      groupId,
      join,
      given: (partition) => worker.#places.get(placeKey(partition)),
    })
    worker.#membership = membership
    membership.onChange = (change) => worker.#changed(change)
    membership.onEnd = (error) => worker.#failed(error)
    worker.#changed({ gained: membership.held, lost: [], isReset: false })
    return worker
  }

  get places(): readonly Place[] {
    return this.#active
  }

  /** The stream that reads the places. */
  set stream(stream: RecordStream) {
    this.#stream = stream
    if (this.isChanged()) stream.changed()
  }

  endOf(): Promise<number> {
    return Promise.resolve(Number.POSITIVE_INFINITY)
  }

  get hasMoreToTell(): boolean {
    return this.#turns.hasMore
  }

  /** What a checkpoint says. The tokens in it count as given. */
  cursor(): string {
    const { memberId, memberEpoch } = this.#membership
    const places = this.#turns.next([...this.#places.values()])
    const tokens = places.map((given) => {
      given.tell()
      return this.#tokenOf(given, memberEpoch)
    })
    return JSON.stringify({ memberId, memberEpoch, tokens })
  }

  isChanged(): boolean {
    return this.#failure !== undefined || this.#told.length > 0
  }

  change(): PlaceChange {
    if (this.#failure !== undefined) throw this.#failure.error
    this.#active = [...this.#places.values()].map(({ place }) => place)
    const told = this.#told.map((note) => note())
    const change = { added: this.#added, removed: this.#removed, told }
    this.#added = []
    this.#removed = []
    this.#told = []
    return change
  }

  leave(): Promise<void> {
    return this.#membership.leave()
  }

  #changed({ gained, lost, isReset }: MembershipChange): void {
    if (isReset) this.#tellReset(gained)
    else if (lost.length > 0) this.#tellRevoked(lost)
    for (const partition of lost) this.#remove(partition)
    if (gained.length > 0 || this.#stream === undefined || isReset) {
      const { memberId, memberEpoch } = this.#membership
      const partitions = gained.map((each) => ({ ...placeOf(each), offset: each.offset }))
      this.#tell('assigned', { memberId, memberEpoch, partitions })
    }
    for (const partition of gained) this.#add(partition)
    this.#stream?.changed()
  }

  /**
   * The tokens are of where the stream stops reading; their epoch is the one they were held at. They do not
   * count as given: who has committed all it was given before is done without them.
   */
  #tellRevoked(lost: readonly AssignedPartition[]): void {
    const { memberEpoch } = this.#membership
    const held = lost.map((partition) => ({
      partition,
      given: this.#places.get(placeKey(partition)),
    }))
    this.#told.push(() => {
      const revoked = held.map(({ partition, given }) =>
        given === undefined
          ? placeOf(partition)
          : { ...placeOf(partition), token: this.#tokenOf(given, memberEpoch) },
      )
      return noteBytes(this.#options.look.type, 'revoked', revoked)
    })
  }

  #tokenOf(given: GivenPlace, memberEpoch: number): string {
    const { topicId, partition } = given.place.partition
    const { memberId } = this.#membership
    const { nextOffset: offset } = given.place
    const token = { topicId, partition, offset, memberId, memberEpoch }
    return encodeToken(this.#options.groupId, token)
  }

  /** Where the member stood and where it goes on, of partitions where that is not the same. */
  #tellReset(gained: readonly AssignedPartition[]): void {
    const moves = gained.flatMap(({ topic, topicId, partition, offset }) => {
      const from = this.#places.get(placeKey({ topicId, partition }))?.place.nextOffset
      return from === undefined || from === offset ? [] : [{ topic, partition, from, to: offset }]
    })
    this.#tell('reset', moves)
  }

  #failed(error: unknown): void {
    this.#failure = { error }
    this.#stream?.changed()
  }

  #tell(name: WorkerNote, document: unknown): void {
    const bytes = noteBytes(this.#options.look.type, name, document)
    this.#told.push(() => bytes)
  }

  #remove(partition: AssignedPartition): void {
    const key = placeKey(partition)
    const place = this.#places.get(key)?.place
    if (place === undefined) return
    this.#places.delete(key)
    if (this.#added.includes(place)) this.#added = this.#added.filter((each) => each !== place)
    else this.#removed.push(place)
  }

  #add({ topic, topicId, partition: number, offset }: AssignedPartition): void {
    const { context, look, groupId, surroundings } = this.#options
    const partition = context.replicas.find(topic, number)
    if (partition === undefined || partition.topicId !== topicId) return
    const { memberId, memberEpoch } = this.#membership
    const place = new Place({
      ...surroundings,
      partition,
      from: offset ?? partition.logStartOffset,
      until: Number.POSITIVE_INFINITY,
      end: Number.POSITIVE_INFINITY,
      rendering: workerRendering(look, partition, { groupId, memberId, memberEpoch }),
    })
    this.#places.set(placeKey({ topicId, partition: number }), new GivenPlace(place))
    this.#added.push(place)
  }
}

function placeOf({ topic, partition }: { readonly topic: string; readonly partition: number }) {
  return { topic, partition }
}

/**
 * One upload from its first record to its last acknowledgement: the producer, what is kept of it so that
 * it can go on, and another try where the log turned out to hold more than was seen.
 */

import { type Client, type Delivery, type Producer, SpoolError } from '../../client/index.ts'
import { pause } from '../../client/retry.ts'
import type { GlobalOptions } from '../verb.ts'
import { Acknowledged, BEGINNING } from './acknowledged.ts'
import { Arrived, lookUpArrived } from './arrived.ts'
import { before } from './before.ts'
import { beginAgain } from './begin-again.ts'
import { ChangedRecordError, ContinuedSink } from './continued-sink.ts'
import type { Input } from './input.ts'
import { LineReading } from './line-reading.ts'
import { LineUpload, type RecordSink, type RefusedLine, type UploadEnd } from './line-upload.ts'
import { Pace } from './pace.ts'
import type { ProducePlan } from './plan.ts'
import { ProgressKeeper } from './progress-keeper.ts'
import type { Resuming } from './resuming.ts'
import type { Target } from './target.ts'
import { ValueUpload } from './value-upload.ts'

/** After Ctrl-C, how long to wait for what is on its way. */
const FLUSH_MS_MAX = 5_000
/** How often to look again when more arrived than was seen; the pauses add up to some ten seconds. */
const TRIES_MAX = 16
const TRY_PAUSE_MS_MAX = 1_000
/** Who writes for weeks learns of new partitions and other settings, as any client does. */
const REFRESH_MS = 300_000

export interface SessionOptions {
  readonly plan: ProducePlan
  readonly global: GlobalOptions
  readonly inputs: readonly Input[]
  readonly target: Target
  readonly client: Client
  /** `undefined`: when it is interrupted, it can not go on. */
  readonly resuming: Resuming | undefined
  readonly interrupted: AbortSignal
  readonly onRefused: (refused: RefusedLine) => void
  readonly random: () => number
  readonly refreshMs?: number
}

export class Session {
  readonly #options: SessionOptions
  readonly acknowledged: Acknowledged
  readonly #keeper: ProgressKeeper | undefined
  #upload: LineUpload | ValueUpload | undefined
  /** Lines whose refusal was told. */
  #toldLines = 0

  constructor(options: SessionOptions) {
    const { resuming, target, plan } = options
    this.#options = options
    const zeros = Array.from({ length: target.partitions }, () => 0)
    const beginning = { place: BEGINNING, taken: zeros, offsets: zeros }
    this.acknowledged = new Acknowledged(resuming?.state.mark ?? beginning)
    if (resuming === undefined) return
    const { file, state } = resuming
    this.#keeper = new ProgressKeeper(file, state, plan.files, this.acknowledged)
  }

  /** Records of the input that were taken so far, over all tries and processes. */
  get records(): number {
    return this.#upload?.place.records ?? this.acknowledged.reached.place.records
  }

  get refused(): number {
    return this.#upload?.place.refused ?? this.acknowledged.reached.place.refused
  }

  /** Everything that was taken is acknowledged. */
  get isSettled(): boolean {
    return this.acknowledged.reached.place.records === this.records
  }

  /** Why it can not be kept how far it got. */
  get keepingFailure(): Error | undefined {
    return this.#keeper?.failure
  }

  async run(): Promise<UploadEnd> {
    const { resuming, refreshMs = REFRESH_MS } = this.#options
    // What goes on where it stopped must send every line where it was sent before.
    const refreshing =
      resuming === undefined ? setInterval(() => this.#refresh(), refreshMs) : undefined
    try {
      return await this.#tryAgain()
    } finally {
      clearInterval(refreshing)
    }
  }

  #refresh(): void {
    const { client, target, interrupted } = this.#options
    const asked = client.admin.describeTopic(target.topic, { signal: interrupted })
    // Whatever is wrong with the topic, the records that go there are told.
    asked.then((description) => target.update(description)).catch(() => {})
  }

  async #tryAgain(): Promise<UploadEnd> {
    const { interrupted } = this.#options
    for (let tries = 1; ; tries++) {
      const end = await this.#try(tries)
      const { failure } = this.acknowledged
      const isBehind = failure?.code === 'OUT_OF_ORDER_SEQUENCE_NUMBER'
      const mayTryAgain = isBehind && this.#keeper !== undefined && tries < TRIES_MAX
      if (!mayTryAgain || interrupted.aborted) return end
      this.acknowledged.restart()
      await pause(Math.min(TRY_PAUSE_MS_MAX, 25 * 2 ** tries), interrupted).catch(() => {})
    }
  }

  /** Keeps where it ended, or forgets about it where nobody will ask. */
  async keep(end: UploadEnd): Promise<void> {
    const isDone = end === 'done' && this.isSettled
    if (isDone && this.#options.plan.after !== 'resume') return this.#keeper?.remove()
    return this.#keeper?.end({ isSettled: this.isSettled, isDone, endsOpen: this.#endsOpen })
  }

  get #endsOpen(): boolean {
    if (!this.isSettled) return false
    if (this.#upload instanceof LineUpload && this.#upload.endsOpen) return true
    const old = this.#options.resuming?.state
    const { position, file } = this.acknowledged.reached.place
    const isWhereItWas = old?.mark.place.position === position && old.mark.place.file === file
    return isWhereItWas && old.endsOpen
  }

  async #try(tries: number): Promise<UploadEnd> {
    const { interrupted } = this.#options
    const ending = new AbortController()
    const end = () => ending.abort()
    interrupted.addEventListener('abort', end, { once: true })
    if (interrupted.aborted) end()
    let isOver = false
    try {
      const arrived = await this.#arrived(tries)
      const producer = this.#openProducer(arrived, (delivery) => {
        // What is told later is for whoever looks in the log.
        if (isOver) return
        this.acknowledged.delivered(delivery)
        if (delivery.error !== undefined) end()
        else this.#keeper?.progressed()
      })
      const upload = this.#newUpload(producer, arrived, ending.signal)
      this.#upload = upload
      const result = await upload.run()
      await this.#flush(producer, ending.signal)
      isOver = true
      void producer.close()
      return this.acknowledged.failure === undefined ? result : 'ended'
    } catch (error) {
      if (error instanceof SpoolError) {
        this.acknowledged.failure ??= error
        return 'ended'
      }
      if (!(error instanceof ChangedRecordError)) throw error
      const { where } = this.#upload as LineUpload
      throw beginAgain(
        `${where} is not what was appended before the interruption (${error.message}): the file or the settings of the topic have changed`,
      )
    } finally {
      isOver = true
      interrupted.removeEventListener('abort', end)
    }
  }

  /** What is in the log; `undefined` where no producer goes on. */
  async #arrived(tries: number): Promise<Arrived | undefined> {
    const { resuming, client, plan, interrupted } = this.#options
    if (resuming === undefined) return undefined
    const { state } = resuming
    const mark = this.acknowledged.reached
    if (tries === 1 && state.isSettled) return new Arrived(mark)
    return lookUpArrived(client, plan.topic, mark, state, interrupted)
  }

  #openProducer(
    arrived: Arrived | undefined,
    onDelivery: (delivery: Delivery) => void,
  ): Producer<Uint8Array, Uint8Array> {
    const { client, plan, global, resuming, target } = this.#options
    const { compression, acks, lingerMs, deliveryTimeoutMs } = plan.sending
    const asTheyAre = { serialize: (bytes: Uint8Array) => bytes }
    const { topicId } = target
    return client.producer({
      topic: plan.topic,
      key: asTheyAre,
      value: asTheyAre,
      compression,
      acks,
      lingerMs,
      deliveryTimeoutMs,
      ...(global.timeoutMs === undefined ? {} : { requestTimeoutMs: global.timeoutMs }),
      // Whoever closes it has waited before.
      closeTimeoutMs: 0,
      onDelivery,
      ...(arrived === undefined || resuming === undefined
        ? {}
        : {
            continues: {
              topicId,
              producerId: resuming.state.producerId,
              producerEpoch: resuming.state.producerEpoch,
              sequences: arrived.sequences(),
            },
          }),
    })
  }

  #newUpload(
    producer: Producer<Uint8Array, Uint8Array>,
    arrived: Arrived | undefined,
    ending: AbortSignal,
  ): LineUpload | ValueUpload {
    const { plan, inputs, target, resuming, random } = this.#options
    const { acknowledged } = this
    // A second argument would be a tag, and cost memory for every record.
    const direct: RecordSink = {
      enqueue: (record) => producer.enqueue(record),
      room: () => producer.room(),
    }
    const common = {
      reading: new LineReading(plan.reading),
      target,
      sink: arrived === undefined ? direct : new ContinuedSink(direct, acknowledged, arrived),
      acknowledged,
      firstPartition: resuming?.state.firstPartition ?? Math.floor(random() * target.partitions),
      onRefused: (refused: RefusedLine, lines: number) => this.#refused(refused, lines),
    }
    if (plan.valueFile !== undefined) return new ValueUpload({ ...common, file: plan.valueFile })
    return new LineUpload({
      ...common,
      inputs,
      delimiter: plan.delimiter,
      countMax: plan.countMax,
      pace: plan.rate === undefined ? undefined : new Pace(plan.rate),
      ending,
    })
  }

  /** A line that another try comes to again is not told again. */
  #refused(refused: RefusedLine, lines: number): boolean {
    if (lines > this.#toldLines) {
      this.#toldLines = lines
      this.#options.onRefused(refused)
    }
    return this.#options.plan.skipsErrors
  }

  /** Waits for all that was given, and after an interruption for a while more. */
  async #flush(producer: Producer<Uint8Array, Uint8Array>, ending: AbortSignal): Promise<void> {
    const flushed = producer.flush()
    await before(ending, flushed)
    if (!ending.aborted || this.acknowledged.failure !== undefined) return
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, FLUSH_MS_MAX)
    })
    await Promise.race([flushed, late])
    clearTimeout(timer)
  }
}

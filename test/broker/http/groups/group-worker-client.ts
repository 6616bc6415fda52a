/** Reads a group's stream as a program would, in either form: records, and what is said beside them. */

import { expect } from 'vitest'

export interface GroupLine {
  readonly topic: string
  readonly token: string
  readonly partition: number
  readonly offset: number
  readonly value: unknown
}

interface Notes {
  readonly assigned: {
    readonly memberId: string
    readonly memberEpoch: number
    readonly partitions: readonly { topic: string; partition: number; offset: number }[]
  }
  readonly revoked: readonly [{ topic: string; partition: number; token: string }]
  readonly reset: readonly { topic: string; partition: number; from: number; to: number }[]
  readonly checkpoint: {
    readonly memberId: string
    readonly memberEpoch: number
    readonly tokens: readonly string[]
  }
  readonly problem: { readonly code: string }
  readonly end: { readonly reason: string }
}

export class GroupWorkerClient implements AsyncDisposable {
  readonly contentType: string
  readonly #abort: AbortController
  readonly #lines: AsyncGenerator<string>
  readonly #isEvents: boolean
  /** Read and not asked for yet. */
  readonly #records: GroupLine[] = []
  readonly #notes: [string, unknown][] = []

  private constructor(response: Response, abort: AbortController) {
    this.contentType = response.headers.get('content-type') ?? ''
    this.#isEvents = this.contentType.startsWith('text/event-stream')
    this.#abort = abort
    this.#lines = linesOf(response.body!)
  }

  static async open(
    url: string,
    group: string,
    query: string,
    headers: Record<string, string> = { accept: 'application/x-ndjson' },
  ): Promise<GroupWorkerClient> {
    const abort = new AbortController()
    const response = await fetch(`${url}/v1/groups/${group}/records?${query}`, {
      headers,
      signal: abort.signal,
    })
    expect(response.status).toBe(200)
    return new GroupWorkerClient(response, abort)
  }

  async records(count: number): Promise<GroupLine[]> {
    while (this.#records.length < count) await this.#read()
    return this.#records.splice(0, count)
  }

  /** The next note of that name; those before it are passed over. */
  async next<Name extends keyof Notes>(name: Name): Promise<Notes[Name]> {
    return await this.until(name, () => true)
  }

  async until<Name extends keyof Notes>(
    name: Name,
    isIt: (note: Notes[Name]) => boolean,
  ): Promise<Notes[Name]> {
    for (;;) {
      const at = this.#notes.findIndex(([each, note]) => each === name && isIt(note as Notes[Name]))
      if (at >= 0) return this.#notes.splice(0, at + 1).at(-1)![1] as Notes[Name]
      await this.#read()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort()
    await this.#lines.return(undefined).catch(() => {})
  }

  async #read(): Promise<void> {
    let event = ''
    for (;;) {
      const { value: line, done } = await this.#lines.next()
      if (done) throw new Error('the stream ended')
      if (!this.#isEvents) return this.#take(JSON.parse(line))
      if (line.startsWith('event: ')) event = line.slice(7)
      if (!line.startsWith('data: ')) continue
      const data = JSON.parse(line.slice(6))
      return this.#take(event === '' ? data : { [event]: data })
    }
  }

  #take(document: Record<string, unknown>): void {
    if ('offset' in document) this.#records.push(document as unknown as GroupLine)
    else this.#notes.push(...Object.entries(document))
  }
}

async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const bytes of body) {
    rest += decoder.decode(bytes, { stream: true })
    const lines = rest.split('\n')
    rest = lines.pop() ?? ''
    yield* lines.filter((line) => line !== '')
  }
}

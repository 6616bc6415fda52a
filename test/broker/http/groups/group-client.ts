/** A person with curl, as far as groups go: requests to one broker, and answers with their status. */

import { expect } from 'vitest'
import type { TestBroker, TestBrokerOptions } from '../../../../broker/testing.ts'
import type { HeartbeatReply, JoinedGroup } from '../../../../client/api/schemas/groups.ts'
import { serveBroker } from '../../../rigs/broker-suite.ts'

export interface Answered<Document = Record<string, unknown>> {
  readonly status: number
  readonly headers: Headers
  readonly document: Document
}

export interface PollAnswer {
  readonly records: readonly {
    readonly topic: string
    readonly partition: number
    readonly offset: number
    readonly value: unknown
  }[]
  readonly token: string
  readonly memberEpoch: number
  readonly assignment: readonly { readonly topic: string; readonly partition: number }[]
  readonly fenced?: readonly { readonly topic: string; readonly partition: number }[]
}

export class GroupClient {
  readonly #url: string

  constructor(url: string) {
    this.#url = url
  }

  get url(): string {
    return this.#url
  }

  async ask<Document = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<Answered<Document>> {
    const response = await fetch(this.url + path, {
      method,
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    })
    const text = await response.text()
    const document = (text === '' ? {} : JSON.parse(text)) as Document
    return { status: response.status, headers: response.headers, document }
  }

  /** The same where nothing but success will do. */
  async get<Document = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<Document> {
    const { status, document } = await this.ask<Document>(method, path, body)
    expect(status, `${method} ${path}: ${JSON.stringify(document)}`).toBeLessThan(300)
    return document
  }

  /** A topic whose values are numbers from 0 on, spread over its partitions in turn. */
  async topic(name: string, partitions: number, records = 0): Promise<void> {
    await this.get('PUT', `/v1/topics/${name}`, { partitions })
    if (records > 0) await this.write(name, partitions, 0, records)
  }

  async write(name: string, partitions: number, from: number, to: number): Promise<void> {
    const records = Array.from({ length: to - from }, (_, index) => ({
      value: from + index,
      partition: (from + index) % partitions,
    }))
    await this.get('POST', `/v1/topics/${name}/records?as=json`, { records })
  }

  join(group: string, body: object): Promise<JoinedGroup> {
    return this.get('POST', `/v1/groups/${group}/members`, body)
  }

  heartbeat(
    group: string,
    { memberId, memberEpoch }: { memberId: string; memberEpoch: number },
    owned?: readonly { topic: string; partition: number }[],
  ): Promise<HeartbeatReply> {
    const path = `/v1/groups/${group}/members/${memberId}/heartbeat`
    return this.get('POST', path, owned === undefined ? { memberEpoch } : { memberEpoch, owned })
  }

  poll(group: string, memberId: string, body: object = {}): Promise<PollAnswer> {
    return this.get('POST', `/v1/groups/${group}/members/${memberId}/poll`, body)
  }
}

/** The same with a broker of its own, which the tests of a file share. */
export class ServingGroupClient extends GroupClient {
  broker!: TestBroker

  private constructor() {
    super('')
  }

  /** Registers the hooks of the file that calls it. */
  static serve(options: TestBrokerOptions = {}): ServingGroupClient {
    return serveBroker(new ServingGroupClient(), options)
  }

  override get url(): string {
    return this.broker.url
  }
}

/** `t/0 t/2`: partitions as one text, for comparing. */
export function partitionsOf(
  places: readonly { readonly topic: string; readonly partition: number }[],
): string {
  return places
    .map(({ topic, partition }) => `${topic}/${partition}`)
    .sort()
    .join(' ')
}

/**
 * What floods have in common: their shape, how long one may take, and when it is over: every connection
 * closed, or cut by the broker where its client does not read and would not notice.
 */

import { setTimeout as delay } from 'node:timers/promises'
import type { BrokerUnderAttack } from './broker-under-attack.ts'
import {
  answersInWords,
  answersOf,
  type FloodConnection,
  flood,
  floodMany,
  hangUp,
} from './flood-client.ts'

export interface FloodResult {
  readonly answer: string
  readonly problems: readonly string[]
}

export interface Flood {
  readonly name: string
  run(broker: BrokerUnderAttack): Promise<FloodResult>
}

export const MIB = 1 << 20
/** How long a flood may take to come to its end before that itself is wrong. */
const END_MS_MAX = 15_000
export const HEAD = 'HTTP/1.1\r\nHost: localhost\r\n'
export const LIVE = `GET /health/live ${HEAD}\r\n`
export const BATCHES_TYPE = 'Content-Type: application/vnd.spool.batches\r\n'

export function post(path: string, body: Buffer): Buffer {
  const head = `POST ${path} ${HEAD}${BATCHES_TYPE}Content-Length: ${body.length}\r\n\r\n`
  return Buffer.concat([Buffer.from(head), body])
}

/** True when `isTrue` came true in time. */
export async function within(isTrue: () => boolean): Promise<boolean> {
  const deadline = performance.now() + END_MS_MAX
  while (!isTrue() && performance.now() < deadline) await delay(20)
  return isTrue()
}

/** Waits until the broker has cut them all; they do not read, so they would not notice. */
export async function allCut(broker: BrokerUnderAttack): Promise<string[]> {
  const deadline = performance.now() + END_MS_MAX
  // Until the broker has seen them at all.
  await delay(700)
  // The witness's, and whoever asks.
  while ((await broker.metric('spool_connections')) > 2) {
    if (performance.now() > deadline) return ['connections that do not read stay open']
    await delay(100)
  }
  return []
}

/** Ends when every connection was closed by the broker, or says how many were not. */
export async function allClosed(connections: readonly FloodConnection[]): Promise<string[]> {
  // A side that does not read does not see the other end.
  for (const { socket } of connections) socket.resume()
  const isClosed = () => connections.every(({ socket }) => socket.closed)
  if (await within(isClosed)) return []
  return [`${connections.filter(({ socket }) => !socket.closed).length} connections stay open`]
}

export function expectOnly(
  answers: ReadonlyMap<number, number>,
  ...allowed: readonly number[]
): string[] {
  return [...answers]
    .filter(([status]) => !allowed.includes(status))
    .map(([status, count]) => `${count} answers of ${status}`)
}

/** 40 MiB of records (`prepareFloods`). */
export const PAGE = '/v1/topics/bulk/partitions/0/records'

export const get = (path: string, accept: string) =>
  Buffer.from(`GET ${path} ${HEAD}Accept: ${accept}\r\n\r\n`)

/** Answers of many MiB, each asked for in some hundred bytes, on one connection that does not read. */
export function deafPipelineOf(name: string, count: number, bytes: Buffer): Flood {
  return {
    name: `${count} times ${name} in one pipeline that nobody reads`,
    run: async (broker) => {
      const all = Buffer.concat(Array<Buffer>(count).fill(bytes))
      const connection = await flood(broker.port, all, { isDeaf: true })
      const problems = await allCut(broker)
      connection.socket.destroy()
      return { answer: 'cut', problems }
    },
  }
}

export function deafReaders(name: string, count: number, bytes: Buffer): Flood {
  return {
    name: `${count} readers of ${name} that do not read`,
    run: async (broker) => {
      const readers = await floodMany(count, broker.port, () => bytes, { isDeaf: true })
      const problems = await allCut(broker)
      // What lies in the kernel's buffers is still to be had: the heads of the answers.
      for (const { socket } of readers) socket.resume()
      await within(() => readers.every(({ socket }) => socket.closed))
      hangUp(readers)
      const answers = answersOf(readers)
      const wrong = expectOnly(answers, 200, 408, 503)
      return { answer: `${answersInWords(answers)}; cut`, problems: [...problems, ...wrong] }
    },
  }
}

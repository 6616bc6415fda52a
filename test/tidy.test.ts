/**
 * The rules that keep the project easy to walk through, checked over every source file: which room may
 * import which, where the disk, HTTP and compression libraries may be touched, no cycles, and how
 * files look. A rule that stands only in a document is soon no rule.
 */

import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { findCycle, type Import, importsOf } from './rigs/imports.ts'

const ROOT = join(import.meta.dirname, '..')
const ROOMS = ['storage', 'client', 'broker', 'cli', 'bench', 'test']
const LINES_MAX = 400
/** A test is a list of cases: longer is still easy to read. */
const TEST_LINES_MAX = 600
const BANNED_NAMES = /(^|\/)(utils?|helpers?|common|types|impl|misc)(\.|\/)/
/** The doors of a room; everything else is imported by its own name. */
const BARRELS_ALLOWED = ['storage/index.ts', 'client/index.ts']

const sources = ROOMS.flatMap((room) => globSync(`${room}/**/*.{ts,js}`, { cwd: ROOT })).sort()
const textOf = new Map(sources.map((path) => [path, readFileSync(join(ROOT, path), 'utf8')]))
const imports = sources.flatMap((path) => importsOf(path, textOf.get(path) ?? ''))

/** Those that break a rule, as `from → what`. Every list below must be empty. */
function offenders(breaks: (entry: Import) => boolean): string[] {
  return imports.filter(breaks).map((entry) => `${entry.from} → ${entry.specifier}`)
}

const isIn = (path: string | undefined, ...folders: string[]) =>
  folders.some((folder) => path === folder || path?.startsWith(`${folder}/`) === true)
const isRelative = (entry: Import) => entry.target !== undefined
const isAnyOf = (entry: Import, ...packages: string[]) =>
  packages.some((name) => entry.specifier === name || entry.specifier.startsWith(`${name}/`))

test('storage imports nothing of ours', () => {
  expect(
    offenders((it) => isIn(it.from, 'storage') && isRelative(it) && !isIn(it.target, 'storage')),
  ).toEqual([])
})

test('the API contract imports only the bytes of records, the client only that and itself', () => {
  const isAllowed = (it: Import) =>
    isIn(it.target, 'storage/record') ||
    isIn(it.target, isIn(it.from, 'client/api') ? 'client/api' : 'client')
  expect(offenders((it) => isIn(it.from, 'client') && isRelative(it) && !isAllowed(it))).toEqual([])
})

test('the broker imports the API contract and storage', () => {
  expect(
    offenders(
      (it) =>
        isIn(it.from, 'broker') &&
        isRelative(it) &&
        !isIn(it.target, 'broker', 'storage', 'client/api'),
    ),
  ).toEqual([])
})

test('nothing imports the command line, the benches or the tests; only they import the broker', () => {
  const outside = (it: Import) => !isIn(it.from, 'bench', 'test')
  expect(offenders((it) => outside(it) && isIn(it.target, 'bench', 'test'))).toEqual([])
  expect(offenders((it) => outside(it) && !isIn(it.from, 'cli') && isIn(it.target, 'cli'))).toEqual(
    [],
  )
  expect(
    offenders((it) => outside(it) && !isIn(it.from, 'cli', 'broker') && isIn(it.target, 'broker')),
  ).toEqual([])
})

test('inside the broker, only broker.ts knows the faces', () => {
  const faces = ['http', 'kafka', 'console']
  for (const face of faces) {
    expect(
      offenders(
        (it) =>
          isIn(it.from, 'broker') &&
          it.from !== 'broker/broker.ts' &&
          !isIn(it.from, `broker/${face}`) &&
          isIn(it.target, `broker/${face}`),
      ),
    ).toEqual([])
  }
})

test('the disk is touched through storage/file only', () => {
  const mayTouchFiles = ['storage/file', 'broker/config', 'cli', 'bench', 'test']
  expect(offenders((it) => isAnyOf(it, 'node:fs') && !isIn(it.from, ...mayTouchFiles))).toEqual([])
  expect(
    offenders((it) => isAnyOf(it, 'node:sqlite') && !isIn(it.from, 'storage/file', 'test')),
  ).toEqual([])
})

test('Fastify, compression and consensus libraries stay in their rooms', () => {
  const http = ['broker/http', 'broker/console', 'bench', 'test']
  expect(offenders((it) => isAnyOf(it, 'fastify', '@fastify') && !isIn(it.from, ...http))).toEqual(
    [],
  )
  const bytes = ['storage/record', 'bench', 'test']
  const codecs = ['lz4-napi', 'snappy', '@node-rs/crc32', 'node:zlib']
  expect(offenders((it) => isAnyOf(it, ...codecs) && !isIn(it.from, ...bytes))).toEqual([])
  expect(offenders((it) => isAnyOf(it, 'commander') && !isIn(it.from, 'cli'))).toEqual([])
  const packing = ['client/api/msgpack.ts', 'bench', 'test']
  expect(offenders((it) => isAnyOf(it, 'msgpackr') && !isIn(it.from, ...packing))).toEqual([])
})

test('nothing that is published waits for something while it loads: require() would be refused', () => {
  const published = sources.filter((path) => isIn(path, 'storage', 'client', 'broker'))
  const waits = /^(?:(?:export )?(?:const|let) [^=]*= )?await |^for await/m
  expect(published.filter((path) => waits.test(textOf.get(path) ?? ''))).toEqual([])
})

test('no file imports itself by way of others', () => {
  expect(findCycle(imports.filter((it) => !it.isTypeOnly))).toEqual([])
})

test('every file opens by saying what it is', () => {
  const silent = sources.filter((path) => !/^(#!.*\n)?\/\*\*/.test(textOf.get(path) ?? ''))
  expect(silent).toEqual([])
})

test('no file has grown out of hand', () => {
  const lines = (path: string) => (textOf.get(path) ?? '').split('\n').length - 1
  const limit = (path: string) => (path.endsWith('.test.ts') ? TEST_LINES_MAX : LINES_MAX)
  const long = sources.filter((path) => lines(path) > limit(path))
  expect(long.map((path) => `${path}: ${lines(path)}`)).toEqual([])
})

test('names say what is inside', () => {
  expect(sources.filter((path) => BANNED_NAMES.test(path))).toEqual([])
  expect(
    sources.filter((path) => path.endsWith('/index.ts') && !BARRELS_ALLOWED.includes(path)),
  ).toEqual([])
})

test('every room has a README', () => {
  const rooms = ROOMS.filter((room) => existsSync(join(ROOT, room)))
  expect(rooms.filter((room) => !existsSync(join(ROOT, room, 'README.md')))).toEqual([])
})

test('no path of one machine is written down', () => {
  const documents = globSync('{*.md,*.json,docs/**/*.md,.ci/*,*/README.md}', { cwd: ROOT })
  const machinePath = /(?:^|[\s'"`(=:])\/(?:work|root|home\/\w+|Users\/\w+)\//m
  const found = [...sources, ...documents].filter((path) =>
    machinePath.test(textOf.get(path) ?? readFileSync(join(ROOT, path), 'utf8')),
  )
  expect(found.filter((path) => path !== 'package-lock.json')).toEqual([])
})

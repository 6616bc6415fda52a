/**
 * The tour of the README, run as it stands, in what looks like a checkout: its commands are taken out of
 * the text and given to a shell, its programs to Node, one block after another, and what they print is held
 * against what the README says they print (`…` stands for anything). Only the port differs, so that a
 * broker somebody has running is left alone.
 */

import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { BrokerProcess } from './rigs/broker-process.ts'

const ROOT = join(import.meta.dirname, '..')
const README = readFileSync(join(ROOT, 'README.md'), 'utf8')
const PORT_IN_README = '7766'
const WRITTEN_BY_THE_TOUR = /^(spool-data|.*\.png|tour\.ts)$/

interface Block {
  readonly language: string
  readonly text: string
}

function blocksOf(heading: string): Block[] {
  const section = README.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? ''
  return [...section.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map((match) => ({
    language: match[1] ?? '',
    text: match[2] ?? '',
  }))
}

/** Programs are run where they are whole. */
function isRun({ language, text }: Block): boolean {
  return language !== 'ts' || text.startsWith('import')
}

/** The README's own `…` matches anything; everything else must be there, in order. */
function patternOf(text: string): RegExp {
  const parts = text.trim().split('…')
  const escaped = parts.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^\\s*${escaped.join('[\\s\\S]*')}\\s*$`)
}

function run(command: string, words: readonly string[], cwd: string, url: string): Promise<string> {
  const env = { ...process.env, SPOOL_URL: url, NO_COLOR: '1' }
  return new Promise((resolve, reject) => {
    execFile(command, words, { cwd, env }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout)
      else reject(new Error(`${command} ${words.join(' ')}\n${stdout}\n${stderr}`))
    })
  })
}

/** A directory in which commands find what they find in a checkout, and write nothing into ours. */
function checkoutLike(): string {
  const directory = mkdtempSync(join(tmpdir(), 'spool-tour-'))
  for (const name of readdirSync(ROOT)) {
    if (!WRITTEN_BY_THE_TOUR.test(name)) symlinkSync(join(ROOT, name), join(directory, name))
  }
  return directory
}

test('the five-minute tour does what it says', async () => {
  const cwd = checkoutLike()
  const dataDir = join(cwd, 'spool-data')
  let broker = await BrokerProcess.start({ dataDir })
  try {
    let printed = ''
    let commandsRun = 0
    let programsRun = 0
    const blocks = [...blocksOf('Five minutes'), ...blocksOf('Workers that share a topic')]
    for (const { language, text } of blocks.filter(isRun)) {
      if (language === 'text') {
        expect(printed).toMatch(patternOf(text))
      } else if (text.trim() === 'npm start') {
        await broker.ended()
        broker = await BrokerProcess.start({ dataDir })
      } else if (language === 'ts') {
        const program = text.replaceAll(PORT_IN_README, String(broker.port))
        writeFileSync(join(cwd, 'tour.ts'), program)
        const words = ['--conditions=spool-source', 'tour.ts']
        printed = await run(process.execPath, words, cwd, broker.url)
        programsRun++
      } else {
        const commands = text.replaceAll(PORT_IN_README, String(broker.port))
        printed = await run('bash', ['-euo', 'pipefail', '-c', commands], cwd, broker.url)
        expect(printed, text).not.toMatch(/"type": ?"urn:spool:problem:/)
        commandsRun++
      }
    }
    expect(commandsRun).toBeGreaterThanOrEqual(12)
    expect(programsRun).toBe(1)
  } finally {
    await broker[Symbol.asyncDispose]()
    rmSync(cwd, { recursive: true })
  }
}, 120_000)

test('the files that the README names are there', () => {
  const links = [...README.matchAll(/\]\(([^)]+)\)/g)].map((match) => match[1] ?? '')
  expect(links.length).toBeGreaterThan(0)
  for (const link of links) {
    expect(() => readFileSync(join(ROOT, link)), link).not.toThrow()
  }
})

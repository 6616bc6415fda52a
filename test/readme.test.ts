/**
 * The tour of the README, run as it stands: its commands are taken out of the text and given to a shell,
 * one block after another, and what they print is held against what the README says they print
 * (`…` stands for anything). Only the port differs, so that a broker somebody has running is left alone.
 */

import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { BrokerProcess } from './rigs/broker-process.ts'

const ROOT = join(import.meta.dirname, '..')
const README = readFileSync(join(ROOT, 'README.md'), 'utf8')
const PORT_IN_README = '7766'

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

/** The README's own `…` matches anything; everything else must be there, in order. */
function patternOf(text: string): RegExp {
  const parts = text.trim().split('…')
  const escaped = parts.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^\\s*${escaped.join('[\\s\\S]*')}\\s*$`)
}

function shell(commands: string, cwd: string): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile('bash', ['-euo', 'pipefail', '-c', commands], { cwd }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout)
      else reject(new Error(`${commands}\n${stdout}\n${stderr}`))
    })
  })
}

test('the five-minute tour does what it says', async () => {
  const cwd = mkdtempSync(join(tmpdir(), 'spool-tour-'))
  symlinkSync(join(ROOT, 'examples'), join(cwd, 'examples'))
  const dataDir = join(cwd, 'spool-data')
  let broker = await BrokerProcess.start({ dataDir })
  try {
    let printed = ''
    let commandsRun = 0
    for (const { language, text } of blocksOf('Five minutes')) {
      if (language === 'text') {
        expect(printed).toMatch(patternOf(text))
      } else if (text.trim() === 'npm start') {
        await broker.ended()
        broker = await BrokerProcess.start({ dataDir })
      } else {
        printed = await shell(text.replaceAll(PORT_IN_README, String(broker.port)), cwd)
        expect(printed, text).not.toMatch(/"status": ?[45]\d\d/)
        commandsRun++
      }
    }
    expect(commandsRun).toBeGreaterThanOrEqual(8)
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

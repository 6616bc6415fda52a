/**
 * Sends every bad input of the tables to one real broker and prints, as markdown, what each was answered
 * and what it cost. Ends with 1 if anything was wrong.
 *
 *     node test/hostile/hostile-campaign.ts > answers.md
 */

import { BrokerUnderAttack } from './broker-under-attack.ts'
import { ENVIRONMENTS, runEnvironment } from './environments.ts'
import { FLOODS, MORE_FLOODS, prepareFloods } from './floods.ts'
import type { CaseResult } from './send-case.ts'
import { STREAM_FLOODS } from './stream-floods.ts'
import { GROUPS, type Outcome, runFlood, runGroup } from './tables.ts'

const all: CaseResult[] = []
let wrongCount = 0

function cell(text: string): string {
  return text.replaceAll(/[|\n\r]+/g, ' ').replaceAll(/[^\x20-\x7e×…]/g, '?')
}

function table(name: string, results: readonly CaseResult[], footer = ''): void {
  console.log(`\n## ${name}\n\n| case | answer | wrong |\n|---|---|---|`)
  for (const { name: what, answer, problems } of results) {
    console.log(`| ${cell(what)} | ${cell(answer)} | ${cell(problems.join('; '))} |`)
    wrongCount += problems.length
  }
  all.push(...results)
  if (footer !== '') console.log(`\n${footer}`)
}

function costs({ after, peakMiB, afterMiB }: Outcome): string {
  wrongCount += after.length
  const problems = after.map((problem) => `\n- **${cell(problem)}**`).join('')
  return `Memory ${peakMiB.toFixed(0)} MiB at most, ${afterMiB.toFixed(0)} MiB after.${problems}`
}

{
  await using broker = await BrokerUnderAttack.start()
  for (const group of GROUPS) {
    const outcome = await runGroup(broker, group)
    table(group.name, outcome.results, costs(outcome))
  }
  await prepareFloods(broker)
  const floods: CaseResult[] = []
  for (const flood of [...FLOODS, ...STREAM_FLOODS, ...MORE_FLOODS]) {
    const outcome = await runFlood(broker, flood)
    const [result] = outcome.results
    const memory = `${outcome.peakMiB.toFixed(0)} MiB`
    floods.push({
      name: flood.name,
      answer: `${result!.answer}; ${memory}`,
      problems: [...result!.problems, ...outcome.after],
    })
  }
  table('floods, and the most memory during each', floods)
  const [before, after] = [broker.memoryBeforeMiB, broker.memoryMiB()]
  const held = await broker.heldMemoryMiB()
  const lost = await broker.lostRecords()
  wrongCount += lost.length
  console.log(
    `\nMemory before ${before.toFixed(0)} MiB, after ${after.toFixed(0)} MiB; ${held.toFixed(0)} MiB of it in use.`,
  )
  console.log(
    `${broker.acknowledgedCount} records acknowledged. ${lost.join('; ') || 'None lost.'}`,
  )
}

const worlds: CaseResult[] = []
for (const each of ENVIRONMENTS) {
  const { answer, problems, skipped } = await runEnvironment(each)
  worlds.push({ name: each.name, answer: skipped ?? answer, problems })
}
table('a world against it', worlds)

const counts = new Map<string, number>()
for (const { answer } of all) {
  const what = answer.replace(/, closed$/, '')
  counts.set(what, (counts.get(what) ?? 0) + 1)
}
console.log('\n## answers, counted\n\n| answer | cases |\n|---|---|')
for (const [what, count] of [...counts].sort(([, a], [, b]) => b - a)) {
  if (count > 1) console.log(`| ${cell(what)} | ${count} |`)
}
console.log(`\n${all.length} cases, ${wrongCount} wrong.`)
process.exitCode = wrongCount === 0 ? 0 : 1

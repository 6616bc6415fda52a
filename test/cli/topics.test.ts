/**
 * `spool topics …` and `spool offsets` against a real broker: what they do, what they print where (a
 * terminal, a pipe, JSON), and that nothing is deleted that was not meant.
 */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../broker/testing.ts'
import { type Client, connect } from '../../client/index.ts'
import { onTerminal, spool, spoolLine } from '../rigs/spool-command.ts'

let broker: TestBroker
let client: Client
beforeAll(async () => {
  broker = await startBroker()
  client = connect(broker.url)
})
afterAll(async () => {
  await client.close()
  await broker[Symbol.asyncDispose]()
})

function run(...words: string[]) {
  return spool(words, { url: broker.url })
}

/** On a terminal; ends with its output as plain text. */
async function runOnTerminal(words: readonly string[], typed?: { after: string; text: string }) {
  await using command = onTerminal(spoolLine(words), { url: broker.url })
  if (typed !== undefined) {
    await command.until(({ stdout }) => stdout.includes(typed.after))
    command.type(typed.text)
  }
  const { code, stdout } = await command.ended
  return { code, text: stdout.replaceAll('\r\n', '\n') }
}

/** A topic of one name for each test, with `records` in each partition. */
async function topicWith(name: string, partitions: number, records: number): Promise<void> {
  await client.admin.createTopic({ name, partitions })
  const producer = client.producer()
  for (let partition = 0; partition < partitions; partition++) {
    for (let at = 0; at < records; at++) {
      producer.enqueue({ topic: name, value: `value ${at}`, partition, timestamp: 1_000 + at })
    }
  }
  await producer.close()
}

describe('create and alter', () => {
  test('a topic as it was asked for, said in a sentence or as its description', async () => {
    const text = await run('topics', 'create', 'made', '-p', '3', '-c', 'retention.ms=5000')
    expect(text).toMatchObject({ code: 0, stdout: 'created made with 3 partitions\n', stderr: '' })
    const json = await run('topics', 'create', 'made-json', '--json')
    expect(JSON.parse(json.stdout)).toMatchObject({ name: 'made-json', replicationFactor: 1 })
    const quiet = await run('topics', 'create', 'made-quietly', '-q')
    expect(quiet).toMatchObject({ code: 0, stdout: '', stderr: '' })
    const made = await client.admin.describeTopic('made')
    expect(made.partitions).toHaveLength(3)
    expect(made.config['retention.ms']).toMatchObject({ value: 5000, source: 'topic' })
  })

  test('one that is there: an error that says how to take it; fine with --if-not-exists unless it differs', async () => {
    await topicWith('there', 2, 0)
    expect(await run('topics', 'create', 'there', '-p', '2')).toMatchObject({
      code: 1,
      stderr:
        'spool topics create: topic there exists already\n  to take it as it is: --if-not-exists\n',
    })
    expect(await run('topics', 'create', 'there', '-p', '2', '--if-not-exists')).toMatchObject({
      code: 0,
      stdout: 'there is there, 2 partitions\n',
    })
    const other = await run('topics', 'create', 'there', '-p', '3', '--if-not-exists')
    expect(other).toMatchObject({
      code: 1,
      stderr:
        'spool topics create: topic there exists, but partitions is 2, not 3\n  see how it is with: spool topics describe there\n',
    })
  })

  test('settings nobody knows, or out of bounds, are the broker’s to refuse: exit code 2', async () => {
    const unknown = await run('topics', 'create', 'never', '-c', 'colour=red')
    expect(unknown.code).toBe(2)
    expect(unknown.stderr).toMatch(/"colour" is no setting of a topic; these are: .*retention\.ms/)
    const wrong = await run('topics', 'create', 'never', '-c', 'segment.bytes=1', '--json')
    expect(wrong.code).toBe(2)
    expect(JSON.parse(wrong.stderr)).toMatchObject({
      verb: 'topics create',
      code: 'INVALID_CONFIG',
      detail: 'segment.bytes is "1", which is not an integer from 1024 to 2147483647 (bytes)',
    })
  })

  test('alter sets, takes back, and adds partitions, never fewer', async () => {
    await topicWith('altered', 2, 0)
    expect(
      await run('topics', 'alter', 'altered', '-p', '4', '-c', 'retention.ms=7000'),
    ).toMatchObject({ code: 0, stdout: 'altered altered: 4 partitions, retention.ms=7000\n' })
    expect((await run('topics', 'alter', 'altered', '--unset', 'retention.ms')).stdout).toBe(
      'altered altered: retention.ms=604800000\n',
    )
    const fewer = await run('topics', 'alter', 'altered', '-p', '3')
    expect(fewer.code).toBe(2)
    expect(fewer.stderr).toContain('has 4 partitions and cannot have fewer (3)')
  })
})

describe('list, describe and offsets', () => {
  test('in a pipe: tabs, no head, numbers as they are', async () => {
    await topicWith('piped', 2, 1_500)
    const list = (await run('topics', 'list')).stdout.split('\n')
    const { topicId } = await client.admin.describeTopic('piped')
    expect(list).toContain(`piped\t2\t1\t${topicId}`)
    const rows = (await run('topics', 'describe', 'piped')).stdout.trimEnd().split('\n')
    const cells = rows.map((row) => row.split('\t'))
    expect(cells[0]).toEqual([
      'partition',
      '0',
      '1',
      '1',
      '1',
      '0',
      '1500',
      '1500',
      expect.any(String),
      'online',
    ])
    expect(Number(cells[0]?.[8])).toBeGreaterThan(0)
    expect(cells).toContainEqual(['config', 'retention.ms', '604800000', 'default'])
    expect((await run('offsets', 'piped')).stdout).toBe('0\t1500\t0\t1500\t\n1\t1500\t0\t1500\t\n')
    expect((await run('offsets', 'piped', '--at', '@2490')).stdout).toBe(
      '0\t1490\t0\t1500\t2490\n1\t1490\t0\t1500\t2490\n',
    )
  })

  test('on a terminal: tables with heads, numbers for people', async () => {
    await topicWith('shown', 1, 1_500)
    const list = await runOnTerminal(['topics', 'list', '--no-color'])
    expect(list.text).toMatch(/^TOPIC +PARTITIONS +REPLICAS +TOPIC ID$/m)
    expect(list.text).toMatch(/^shown +1 +1 +[0-9a-f-]{36}$/m)
    const described = await runOnTerminal(['topics', 'describe', 'shown'])
    expect(described.text).toMatch(/shown {2}1 partition, topic id [0-9a-f-]{36}/)
    expect(described.text).toContain('\x1b[1mPARTITION\x1b[22m')
    expect(described.text).toMatch(/^ +0 +1 +1 +1 +0 +1,500 +1,500 +[\d.]+ KiB +online$/m)
    expect(described.text).toContain('All settings have their defaults; --all shows them.')
    const offsets = await runOnTerminal(['offsets', 'shown', '--at', '@1000', '--no-color'])
    expect(offsets.text).toMatch(/^PARTITION +@1000 +FIRST +NEXT +TIME OF THE RECORD$/m)
    expect(offsets.text).toMatch(/^ +0 +0 +0 +1,500 +1970-01-01T00:00:01\.000Z$/m)
  })

  test('as JSON: the documents of the HTTP interface, one a line', async () => {
    await topicWith('documented', 1, 3)
    const [list, described, offsets] = await Promise.all([
      run('topics', 'list', '--json'),
      run('topics', 'describe', 'documented', '--json'),
      run('offsets', 'documented', '--at', 'latest', '--json'),
    ])
    for (const { stdout } of [list, described, offsets]) expect(stdout.split('\n')).toHaveLength(2)
    expect(JSON.parse(list.stdout).topics).toContainEqual(
      expect.objectContaining({ name: 'documented', partitions: 1 }),
    )
    expect(JSON.parse(described.stdout)).toEqual(await client.admin.describeTopic('documented'))
    expect(JSON.parse(offsets.stdout)).toEqual(await client.admin.offsets('documented'))
  })

  test('the words of both grammars mean what they mean elsewhere', async () => {
    await topicWith('worded', 1, 10)
    const at = async (word: string) =>
      (await run('offsets', 'worded', '--at', word)).stdout.split('\t')[1]
    const found = await Promise.all(
      [
        'earliest',
        'beginning',
        'latest',
        'end',
        '7',
        '-3',
        '@1004',
        's@1004',
        '1970-01-01T00:00:01.005Z',
        '-PT1H',
      ].map(at),
    )
    expect(found).toEqual(['0', '0', '10', '10', '7', '7', '4', '4', '5', '10'])
  })

  test('an offset names a record of one partition only; words that are no position are told the forms', async () => {
    await topicWith('several', 2, 1)
    const offset = await run('offsets', 'several', '--at', '17')
    expect(offset.code).toBe(2)
    expect(offset.stderr).toBe(
      'spool offsets: --at 17: topic several has 2 partitions, and an offset means a record of one only\n',
    )
    const nonsense = await run('offsets', 'several', '--at', 'yesterday')
    expect(nonsense.code).toBe(2)
    expect(nonsense.stderr).toContain(
      '--at "yesterday": expected earliest, latest, an offset (1500)',
    )
  })

  test('a broker without topics says how to make one, on stderr; output stays empty', async () => {
    await using empty = await startBroker()
    expect(await spool(['topics', 'list'], { url: empty.url })).toMatchObject({
      code: 0,
      stdout: '',
      stderr: 'there are no topics yet; create one with: spool topics create NAME\n',
    })
    expect((await spool(['topics', 'list', '--json'], { url: empty.url })).stdout).toBe(
      '{"topics":[]}\n',
    )
  })

  test('a thousand partitions', async () => {
    await client.admin.createTopic({ name: 'wide', partitions: 1_000 })
    const rows = (await run('offsets', 'wide')).stdout.split('\n').slice(0, -1)
    expect(rows).toHaveLength(1_000)
    expect(rows[999]).toBe('999\t0\t0\t0\t')
    const described = (await run('topics', 'describe', 'wide')).stdout.trimEnd().split('\n')
    expect(described.filter((row) => row.startsWith('partition\t'))).toHaveLength(1_000)
  })
})

describe('trim', () => {
  test('says what would go and needs --yes where nobody can be asked; with it the start moves', async () => {
    await topicWith('trimmed', 2, 10)
    const asked = await run('topics', 'trim', 'trimmed', '-p', '0', '--before', '4')
    expect(asked.code).toBe(2)
    expect(asked.stderr).toContain(
      'trimmed/0: 4 records would go, offsets 0 to 3; 6 records would stay\n',
    )
    expect(asked.stderr).toContain('say so with --yes')
    const trial = await run(
      'topics',
      'trim',
      'trimmed',
      '-p',
      '0-1',
      '--before',
      '-3',
      '--dry-run',
      '--json',
    )
    expect(JSON.parse(trial.stdout)).toEqual({
      topic: 'trimmed',
      isDryRun: true,
      partitions: [0, 1].map((partition) => ({
        partition,
        from: 0,
        before: 7,
        records: 7,
        highWatermark: 10,
      })),
    })
    expect((await client.admin.offsets('trimmed')).partitions[0]?.logStartOffset).toBe(0)
    const done = await run('topics', 'trim', 'trimmed', '-p', '0', '--before', '4', '--yes')
    expect(done).toMatchObject({ code: 0, stdout: 'trimmed/0 starts at 4 now\n', stderr: '' })
    const { partitions } = await client.admin.offsets('trimmed')
    expect(partitions.map(({ logStartOffset }) => logStartOffset)).toEqual([4, 0])
    const again = await run('topics', 'trim', 'trimmed', '-p', '0', '--before', '2')
    expect(again).toMatchObject({
      code: 0,
      stderr: 'trimmed/0: nothing before 2, it starts at 4\n',
    })
  })

  test('what is not there can not be trimmed, and nothing is', async () => {
    await topicWith('short', 2, 5)
    const beyond = await run('topics', 'trim', 'short', '-p', '0', '--before', '6', '--yes')
    expect(beyond.code).toBe(2)
    expect(beyond.stderr).toContain(
      '--before 6: short/0 ends before 5; --before latest deletes all there is',
    )
    const partition = await run(
      'topics',
      'trim',
      'short',
      '-p',
      '0-2',
      '--before',
      'latest',
      '--yes',
    )
    expect(partition.code).toBe(7)
    expect(partition.stderr).toContain(
      'short has no partition 2; it has 2 partitions, counted from 0',
    )
    const several = await run('topics', 'trim', 'short', '-p', '0,1', '--before', '3', '--yes')
    expect(several.code).toBe(2)
    expect(
      (await client.admin.offsets('short')).partitions.map((each) => each.logStartOffset),
    ).toEqual([0, 0])
  })
})

describe('delete', () => {
  test('where nobody can be asked it needs --yes, and says what goes', async () => {
    await topicWith('doomed', 2, 5)
    const asked = await run('topics', 'delete', 'doomed')
    expect(asked.code).toBe(2)
    expect(asked.stderr).toMatch(/^doomed: 10 records in 2 partitions \(.* B\)$/m)
    expect(asked.stderr).toContain(
      'nobody can be asked here whether that is meant: say so with --yes',
    )
    const done = await run('topics', 'delete', 'doomed', '--yes')
    expect(done.code).toBe(0)
    expect(done.stdout).toMatch(/^deleted doomed with 10 records in 2 partitions \(.* B\)\n$/)
    expect((await run('topics', 'describe', 'doomed')).code).toBe(7)
  })

  test('one name that is not there stops the whole, unless that is fine', async () => {
    await topicWith('kept', 1, 0)
    const stopped = await run('topics', 'delete', 'kept', 'missing', '--yes')
    expect(stopped).toMatchObject({
      code: 7,
      stderr:
        'spool topics delete: there is no topic missing\n  see what there is with: spool topics list; if that is fine: --if-exists\n',
    })
    expect((await run('topics', 'describe', 'kept')).code).toBe(0)
    const fine = await run('topics', 'delete', 'missing', 'kept', '--if-exists', '--yes', '--json')
    expect(JSON.parse(fine.stdout)).toEqual({ deleted: ['kept'] })
  })

  test('on a terminal a person is asked: no and Ctrl-C leave it, yes deletes', async () => {
    await topicWith('asked', 1, 2)
    const question = { after: 'Delete topic asked with all records? [y/N] ' }
    const no = await runOnTerminal(['topics', 'delete', 'asked'], { ...question, text: 'n\r' })
    expect(no.code).toBe(1)
    expect(no.text).toContain('spool topics delete: nothing was deleted\n')
    const enter = await runOnTerminal(['topics', 'delete', 'asked'], { ...question, text: '\r' })
    expect(enter.code).toBe(1)
    const interrupted = await runOnTerminal(['topics', 'delete', 'asked'], {
      ...question,
      text: '\x03',
    })
    expect(interrupted.code).toBe(130)
    expect((await run('topics', 'describe', 'asked')).code).toBe(0)
    const yes = await runOnTerminal(['topics', 'delete', 'asked'], { ...question, text: 'yes\r' })
    expect(yes.code).toBe(0)
    expect(yes.text).toContain('deleted asked with 2 records in 1 partition')
    expect((await run('topics', 'describe', 'asked')).code).toBe(7)
  })
})

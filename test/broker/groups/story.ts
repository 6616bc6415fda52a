/**
 * Stories of a group as text: what happens, a line each, and below it, indented, what came of it. The
 * runner plays the commands and writes the story again; a test compares the two, so a story is at once
 * documentation and proof. Members behave unless told otherwise: a heartbeat comes with the epoch and the
 * partitions that the member was told last.
 *
 *     topics orders:3 clicks:2        create, or grow; the group is told
 *     drop orders
 *     join a orders clicks [pattern=…] [instance=…] [assignor=…] [session=10s] [rebalance=…] [from=orders/0=5]
 *     beat a [@3] [owns orders/0,1 | owns nothing]
 *     lost a …                        the same, but the member does not get the reply
 *     leave a [for a while]
 *     commit a[@3] orders/0=5 …       by offset; "commit - …": without being a member
 *     token a[@3] orders/0=5 …        by token; without @, the epoch the member was told last
 *     reset [dry] orders/0=5 orders/1=+2 orders/2=none within 0..100
 *     wait 45s                        time passes; whatever is due happens, when it is due
 *     expire · delete · crash · offsets · show
 *
 * In what came of it, `a@3 orders/0,1` is what member a is told, `!` a refusal, `log` the records written.
 */

import type {
  AssignedTopic,
  CommitReply,
  GroupStep,
  JoinEvent,
  MemberReply,
  OffsetToCommit,
  ResetTarget,
} from '../../../broker/groups/group-event.ts'
import type { TopicPartitions } from '../../../broker/groups/group-topics.ts'
import type {
  EpochTopicPartitions,
  GroupRecord,
} from '../../../broker/groups/records/group-record.ts'
import { SpoolError } from '../../../client/api/errors.ts'
import { GroupRig } from './group-rig.ts'

const STATE_WORDS: Readonly<Record<string, string>> = {
  stable: '',
  unrevokedPartitions: ' unrevoked',
  unreleasedPartitions: ' unreleased',
  unknown: ' unknown',
}

interface Told {
  readonly memberEpoch: number
  readonly owned: readonly TopicPartitions[]
}

/** Plays the commands of a story; returns the story as it went. */
export function playStory(text: string): string {
  const story = new Story()
  const lines: string[] = []
  for (const line of text.split('\n')) {
    if (line.startsWith('  ')) continue
    lines.push(line)
    if (line !== '' && !line.startsWith('#')) {
      lines.push(...story.play(line).map((outcome) => `  ${outcome}`))
    }
  }
  return lines.join('\n')
}

class Story {
  readonly #rig = new GroupRig()
  readonly #told = new Map<string, Told>()

  play(line: string): string[] {
    const [verb = '', ...words] = line.trim().split(/\s+/)
    try {
      return this.#command(verb, words)
    } catch (error) {
      if (error instanceof SpoolError) return [`! ${error.code}: ${error.detail}`]
      throw error
    }
  }

  #command(verb: string, words: string[]): string[] {
    switch (verb) {
      case 'topics':
        return words.flatMap((word) => this.#createTopic(word))
      case 'drop':
        return this.#rig.deleteTopic(words[0]!).flatMap((step) => this.#logOf(step))
      case 'join':
        return this.#join(words)
      case 'beat':
        return this.#beat(words, true)
      case 'lost':
        return this.#beat(words, false)
      case 'leave':
        return this.#logOf(
          this.#rig.do({
            kind: 'leave',
            memberId: words[0]!,
            ...(words.length > 1 ? { isTemporary: true } : {}),
          }),
        )
      case 'commit':
        return this.#commit(words)
      case 'token':
        return this.#token(words)
      case 'reset':
        return this.#reset(words)
      case 'wait':
        return this.#wait(durationMs(words[0]!))
      case 'expire': {
        const step = this.#rig.do({ kind: 'expireOffsets' })
        return [`forgot ${step.reply.forgottenOffsets} offsets`, ...this.#logOf(step)]
      }
      case 'delete':
        return this.#logOf(this.#rig.do({ kind: 'deleteGroup' }))
      case 'crash':
        return this.#logOf(this.#rig.crash())
      case 'offsets':
        return this.#offsets()
      case 'show':
        return this.#show()
    }
    throw new Error(`a story has no command "${verb}"`)
  }

  #createTopic(word: string): string[] {
    const [name, partitions] = word.split(':')
    return this.#logOf(this.#rig.createTopic(name!, Number(partitions)))
  }

  #join([memberId = '', ...words]: string[]): string[] {
    const options = new Map(words.filter((it) => it.includes('=')).map(splitOption))
    const topics = words.filter((it) => !it.includes('='))
    const instanceId = options.get('instance')
    const session = options.get('session')
    const rebalance = options.get('rebalance')
    const pattern = options.get('pattern')
    const assignor = options.get('assignor')
    const event: JoinEvent = {
      kind: 'join',
      memberId,
      ...(instanceId === undefined ? {} : { instanceId }),
      details: {
        ...(topics.length === 0 ? {} : { topics }),
        ...(pattern === undefined ? {} : { topicPattern: pattern }),
        ...(assignor === undefined ? {} : { assignor: assignor as 'range' }),
        ...(session === undefined ? {} : { sessionTimeoutMs: durationMs(session) }),
        ...(rebalance === undefined ? {} : { rebalanceTimeoutMs: durationMs(rebalance) }),
      },
      ...(options.has('from') ? { startAt: offsetsIn([options.get('from')!]) } : {}),
    }
    const step = this.#rig.do(event)
    this.#tell(step.reply)
    return [memberLine(step.reply), ...this.#logOf(step)]
  }

  #beat([memberId = '', ...words]: string[], isReceived: boolean): string[] {
    const told = this.#told.get(memberId)
    const epoch = words.find((word) => word.startsWith('@'))
    const at = words.indexOf('owns')
    const owned = at === -1 ? (told?.owned ?? []) : this.#partitionsIn(words.slice(at + 1))
    const memberEpoch = epoch === undefined ? (told?.memberEpoch ?? 0) : Number(epoch.slice(1))
    const step = this.#rig.do({ kind: 'heartbeat', memberId, memberEpoch, owned })
    if (isReceived) this.#tell(step.reply)
    return [memberLine(step.reply) + (isReceived ? '' : ' (lost)'), ...this.#logOf(step)]
  }

  #tell({ memberId, memberEpoch, assignment }: MemberReply): void {
    this.#told.set(memberId, { memberEpoch, owned: assignment })
  }

  #commit([who = '', ...words]: string[]): string[] {
    const offsets: OffsetToCommit[] = offsetsIn(words)
    const step = this.#rig.do(
      who === '-'
        ? { kind: 'commitOffsets', offsets }
        : { kind: 'commitOffsets', offsets, member: this.#committer(who) },
    )
    return [...commitLines(step.reply), ...this.#logOf(step)]
  }

  #token([who = '', ...words]: string[]): string[] {
    const committer = this.#committer(who)
    const tokens = offsetsIn(words).map(({ topic, partition, offset }) => {
      const topicId = this.#rig.topics.byName(topic)?.topicId ?? topic
      return { topicId, partition, offset, ...committer }
    })
    const step = this.#rig.do({ kind: 'commitTokens', tokens })
    return [...commitLines(step.reply), ...this.#logOf(step)]
  }

  #committer(who: string): { memberId: string; memberEpoch: number } {
    const [memberId = '', epoch] = who.split('@')
    const told = this.#told.get(memberId)?.memberEpoch ?? 0
    return { memberId, memberEpoch: epoch === undefined ? told : Number(epoch) }
  }

  #reset(words: string[]): string[] {
    const dryRun = words[0] === 'dry'
    const at = words.indexOf('within')
    const [logStartOffset = 0, logEndOffset = 0] = words[at + 1]!.split('..').map(Number)
    const targets: ResetTarget[] = words.slice(dryRun ? 1 : 0, at).map((word) => {
      const [place = '', to = ''] = splitOption(word)
      const [topic = '', partition] = place.split('/')
      const bounds = { logStartOffset, logEndOffset }
      return { topic, partition: Number(partition), to: targetOf(to), ...bounds }
    })
    const step = this.#rig.do({ kind: 'reset', targets, dryRun })
    const lines = step.reply.partitions.map((it) => {
      const clamped = it.clamped ? ', clamped' : ''
      return `${it.topic}/${it.partition}: ${it.from ?? 'none'} → ${it.to ?? 'none'}, ${it.recordsAgain} again${clamped}`
    })
    return [...lines, ...this.#logOf(step)]
  }

  #wait(forMs: number): string[] {
    const steps = [...this.#rig.passUntil(this.#rig.monotonicMs + forMs)]
    return steps.flatMap((step) => [
      ...step.reply.fencedMembers.map((memberId) => `fenced ${memberId}`),
      ...this.#logOf(step),
    ])
  }

  #offsets(): string[] {
    const { offsets } = this.#rig.do({ kind: 'fetchOffsets' }).reply
    return offsets.map(({ topic, partition, offset }) => `${topic}/${partition} at ${offset}`)
  }

  #show(): string[] {
    const { topics, group } = this.#rig
    if (group.isGone) return ['no group']
    const { state, groupEpoch, members } = group.describe(topics)
    const lines = members.map(({ memberId, memberEpoch, assignment, revoking }) => {
      const leaving = revoking.length === 0 ? '' : `, revoking ${placesText(revoking)}`
      return `${memberId}@${memberEpoch} ${placesText(assignment)}${leaving}`
    })
    return [`${state}, epoch ${groupEpoch}`, ...lines]
  }

  #logOf({ records }: GroupStep): string[] {
    if (records.length === 0) return []
    return [`log ${records.map((record) => this.#recordText(record)).join(' · ')}`]
  }

  #recordText(record: GroupRecord): string {
    const { value } = record
    switch (record.kind) {
      case 'offsetCommit': {
        const place = `${record.topic}/${record.partition}`
        return record.value === null ? `forget ${place}` : `${place}=${record.value.offset}`
      }
      case 'groupEpoch':
        return record.value === null ? 'no epoch' : `epoch ${record.value.epoch}`
      case 'targetEpoch':
        return record.value === null
          ? 'no target epoch'
          : `target epoch ${record.value.assignmentEpoch}`
      case 'memberMetadata':
        return value === null ? `no member ${record.memberId}` : `member ${record.memberId}`
      case 'targetMember':
        if (record.value === null) return `no target ${record.memberId}`
        return `target ${record.memberId} ${this.#places(record.value.topicPartitions)}`
      case 'currentAssignment': {
        if (record.value === null) return `no current ${record.memberId}`
        const { memberEpoch, state, assignedPartitions, partitionsPendingRevocation } = record.value
        const leaving = partitionsPendingRevocation.length
          ? ` without ${this.#places(partitionsPendingRevocation)}`
          : ''
        const has = this.#places(assignedPartitions)
        return `current ${record.memberId}@${memberEpoch}${STATE_WORDS[state]} ${has}${leaving}`
      }
      case 'pattern':
        if (record.value === null) return `no pattern ${record.pattern}`
        return `pattern ${record.pattern} is ${record.value.topics.join(',') || 'nothing'}`
      default:
        return record.kind
    }
  }

  #places(topics: readonly (TopicPartitions | EpochTopicPartitions)[]): string {
    return placesText(
      topics.map((it) => ({ ...it, topic: this.#rig.topics.byId(it.topicId)?.name ?? '(gone)' })),
    )
  }

  #partitionsIn(words: readonly string[]): TopicPartitions[] {
    if (words[0] === 'nothing') return []
    return words.map((word) => {
      const [topic = '', partitions = ''] = word.split('/')
      const topicId = this.#rig.topics.byName(topic)?.topicId ?? topic
      return { topicId, partitions: partitions.split(',').map(Number) }
    })
  }
}

function memberLine({ memberId, memberEpoch, assignment }: MemberReply): string {
  return `${memberId}@${memberEpoch} ${placesText(assignment)}`
}

/** With `*` and the epoch since when, where a record keeps it. */
function placesText(topics: readonly (AssignedTopic | (AssignedTopic & EpochTopicPartitions))[]) {
  if (topics.length === 0) return 'nothing'
  const text = topics.map((it) => {
    const epochs = 'assignmentEpochs' in it ? it.assignmentEpochs : null
    const partitions = it.partitions.map((partition, index) =>
      epochs === null ? `${partition}` : `${partition}^${epochs[index]}`,
    )
    return `${it.topic}/${partitions.join(',')}`
  })
  return text.sort().join(' ')
}

function commitLines({ results }: CommitReply): string[] {
  return results.map(({ topic, partition, offset, isChanged, error }) => {
    if (error !== undefined) return `! ${topic}/${partition} ${error.code}: ${error.detail}`
    return `${topic}/${partition} at ${offset}${isChanged ? '' : ', as before'}`
  })
}

function offsetsIn(
  words: readonly string[],
): { topic: string; partition: number; offset: number }[] {
  return words.map((word) => {
    const [place = '', offset] = splitOption(word)
    const [topic = '', partition] = place.split('/')
    return { topic, partition: Number(partition), offset: Number(offset) }
  })
}

function targetOf(text: string): ResetTarget['to'] {
  if (text === 'none') return { offset: null }
  return /^[+-]/.test(text) ? { shift: Number(text) } : { offset: Number(text) }
}

function splitOption(word: string): [string, string] {
  const at = word.indexOf('=')
  return [word.slice(0, at), word.slice(at + 1)]
}

const UNITS_MS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

function durationMs(text: string): number {
  return Number(text.slice(0, -1)) * UNITS_MS[text.at(-1)!]!
}

/** What is said on stderr of a group's doings, in the manner of kcat; nothing with `--quiet` and `--json`. */

import type {
  AssignedPlace,
  LostPlace,
  ResetPlace,
  RevokedPlace,
  Trouble,
} from '../../client/index.ts'
import { partitionsWord } from '../groups/words.ts'
import { countForPeople } from '../numbers.ts'
import type { Output } from '../output.ts'
import { offsetsWord } from '../position-words.ts'
import type { CommittedPlace } from './commits.ts'

export class GroupNotes {
  readonly #output: Output

  constructor(output: Output) {
    this.#output = output
  }

  assigned(places: readonly AssignedPlace[]): void {
    this.#say(`assigned ${partitionsWord(places)}`)
  }

  /** They go to other members, and what was printed of them is committed. */
  revoked(places: readonly RevokedPlace[]): void {
    this.#say(`gave back ${partitionsWord(places)}`)
  }

  lost(places: readonly LostPlace[]): void {
    this.#say(`lost ${partitionsWord(places)}: ${places[0]?.error.detail ?? ''}`)
  }

  reset(places: readonly ResetPlace[]): void {
    for (const { topic, partition, from, to } of places) {
      this.#say(`reset ${topic}/${partition}: ${countForPeople(from)} → ${countForPeople(to)}`)
    }
  }

  /** It waits for a broker, as long as it takes. */
  trouble({ error, silentMs }: Trouble): void {
    this.#say(`no broker for ${Math.round(silentMs / 1_000)} s, waiting: ${error.detail}`)
  }

  recovered(): void {
    this.#say('the broker is back')
  }

  /** The group has read everything. */
  end(group: string, topics: readonly string[]): void {
    this.#say(`Reached end of ${topics.join(', ')} in group ${group}: exiting`)
  }

  #say(sentence: string): void {
    this.#output.remark(`% ${sentence}`)
  }
}

/** `access 0:1500,1:1742; clicks 0:17`. */
export function committedWord(places: readonly CommittedPlace[]): string {
  const byTopic = Map.groupBy(places, ({ topic }) => topic)
  return [...byTopic]
    .map(([topic, ofTopic]) => {
      const offsets = ofTopic.map(({ partition, offset }) => [partition, offset])
      return `${topic} ${offsetsWord(Object.fromEntries(offsets))}`
    })
    .join('; ')
}

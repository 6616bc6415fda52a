/**
 * Keeps the resume file up to date while an upload runs: now and then, one writing at a time, and never
 * waited for. However old it is, an upload that goes on from it is right: it only has more to look up and
 * to read again.
 */

import type { Acknowledged, Mark } from './acknowledged.ts'
import { type ResumeFile, surroundingsOf } from './resume-file.ts'
import type { FileState, ResumeState } from './resume-state.ts'

const SAVE_MS_MIN = 1_000

export type HowItStands = Pick<ResumeState, 'isSettled' | 'isDone' | 'endsOpen'>

const UNDER_WAY: HowItStands = { isSettled: false, isDone: false, endsOpen: false }

export class ProgressKeeper {
  readonly #file: ResumeFile
  readonly #inputs: readonly string[]
  readonly #acknowledged: Acknowledged
  #state: ResumeState
  #saved: Mark
  #savedAtMs = performance.now()
  #saving: Promise<void> | undefined
  /** Why it can not be kept any more. */
  failure: Error | undefined

  /** `state` is in the file already. */
  constructor(
    file: ResumeFile,
    state: ResumeState,
    inputs: readonly string[],
    acknowledged: Acknowledged,
  ) {
    this.#file = file
    this.#inputs = inputs
    this.#acknowledged = acknowledged
    this.#state = state
    this.#saved = state.mark
  }

  /** Something was acknowledged. */
  progressed(): void {
    if (this.#saving !== undefined || this.failure !== undefined) return
    if (this.#acknowledged.reached === this.#saved) return
    if (performance.now() - this.#savedAtMs < SAVE_MS_MIN) return
    this.#saving = this.#save(this.#acknowledged.reached, UNDER_WAY)
      .catch((error) => {
        this.failure = error
      })
      .finally(() => {
        this.#saving = undefined
      })
  }

  /** Writes where it ended. Rejects when that can not be written. */
  async end(how: HowItStands): Promise<void> {
    await this.#saving
    const { reached, settled } = this.#acknowledged
    await this.#save(how.isSettled ? settled : reached, how)
  }

  /** It is done, and nobody will ask. */
  async remove(): Promise<void> {
    await this.#saving
    await this.#file.remove()
  }

  async #save(mark: Mark, how: HowItStands): Promise<void> {
    const { file, position } = mark.place
    const input = this.#inputs[file]
    const files: FileState[] = [...this.#state.files]
    let { surroundings } = this.#state
    if (input !== undefined) {
      files[file] = await this.#file.fileState(input)
      surroundings = await surroundingsOf(input, position)
    }
    this.#state = { ...this.#state, mark, files, surroundings, ...how }
    await this.#file.write(this.#state)
    this.#saved = mark
    this.#savedAtMs = performance.now()
  }
}

/**
 * A real browser: Debian's Chromium, driven over its own protocol, with a profile of its own that is
 * removed with it. Where there is none, `chromiumProblem` says so; with `SPOOL_CHROMIUM` set, as in CI, its
 * absence is an error.
 */

import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { launch, type Page } from 'puppeteer-core'

const PATH = process.env.SPOOL_CHROMIUM ?? '/usr/bin/chromium'
/** A page that only talks to this machine, in a machine that may have no screen and no user namespaces. */
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]
const LAUNCH_MS_MAX = 60_000

/** Why there is no browser here, or undefined. */
export function chromiumProblem(): string | undefined {
  if (existsSync(PATH) || process.env.SPOOL_CHROMIUM !== undefined) return undefined
  return `there is no ${PATH}: apt-get install chromium, or name one in SPOOL_CHROMIUM`
}

export class Chromium implements AsyncDisposable {
  readonly #browser: Awaited<ReturnType<typeof launch>>
  readonly #profile: string

  private constructor(browser: Awaited<ReturnType<typeof launch>>, profile: string) {
    this.#browser = browser
    this.#profile = profile
  }

  static async launch(): Promise<Chromium> {
    const profile = mkdtempSync(join(tmpdir(), 'spool-chromium-'))
    try {
      const browser = await launch({
        executablePath: PATH,
        args: FLAGS,
        userDataDir: profile,
        timeout: LAUNCH_MS_MAX,
      })
      return new Chromium(browser, profile)
    } catch (error) {
      remove(profile)
      throw error
    }
  }

  /** A new tab at `url`, loaded. What the page throws and nobody catches ends up in `errors`. */
  async open(url: string): Promise<OpenPage> {
    const page = await this.#browser.newPage()
    const errors: string[] = []
    page.on('pageerror', (error) => errors.push(String(error)))
    await page.goto(url, { waitUntil: 'load' })
    return { page, errors, [Symbol.asyncDispose]: () => page.close() }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close()
    remove(this.#profile)
  }
}

export interface OpenPage extends AsyncDisposable {
  readonly page: Page
  readonly errors: readonly string[]
}

/** The browser's last processes may still be writing there for a moment. */
function remove(profile: string): void {
  rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
}

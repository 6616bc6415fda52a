/**
 * A web server's access log as NDJSON, one request a line, keyed by user: a few users make most of the
 * requests (Zipf), sizes have a long tail, time only goes forward. The same seed gives the same bytes.
 *
 *     node bench/loads/access-log.ts --lines 1000000 --seed 1 > access.ndjson
 */

import { SeededRandom } from '../../test/rigs/random.ts'
import { runGenerator } from './generator-command.ts'
import { ZipfChooser } from './zipf.ts'

const FIRST_REQUEST_AT_MS = Date.UTC(2025, 0, 6, 8)
const USERS = 50_000
/** Near what web traffic shows: the busiest of 50,000 users makes about one request in twelve. */
const USER_EXPONENT = 1.05
const PATH_EXPONENT = 0.9
const MEAN_GAP_MS = 20

const PATHS = [
  '/',
  '/login',
  '/search?q=log',
  '/cart',
  '/checkout',
  ...Array.from({ length: 400 }, (_, at) => `/products/${1000 + at * 7}`),
  ...Array.from({ length: 60 }, (_, at) => `/static/js/chunk-${(at * 2654435761).toString(16)}.js`),
]

const AGENTS = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1',
  'Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0',
  'curl/8.5.0',
]

/** The lines, without their newlines. About 220 bytes each. */
export function* accessLog(lines: number, seed: number): Generator<string> {
  const random = new SeededRandom(seed)
  const users = new ZipfChooser(USERS, USER_EXPONENT)
  const paths = new ZipfChooser(PATHS.length, PATH_EXPONENT)
  let ts = FIRST_REQUEST_AT_MS
  for (let line = 0; line < lines; line++) {
    ts += Math.floor(-Math.log(1 - random.next()) * MEAN_GAP_MS)
    const user = users.choose(random)
    const method = random.chance(0.93) ? 'GET' : 'POST'
    yield JSON.stringify({
      ts,
      user: `u${String(user).padStart(5, '0')}`,
      method,
      path: PATHS[paths.choose(random)],
      status: statusOf(random),
      bytes: Math.floor(Math.exp(6 + random.next() * 5)),
      // One person keeps to one browser.
      agent: AGENTS[user % AGENTS.length],
    })
  }
}

function statusOf(random: SeededRandom): number {
  const draw = random.next()
  if (draw < 0.9) return 200
  if (draw < 0.95) return 304
  if (draw < 0.985) return 404
  return draw < 0.997 ? 302 : 500
}

if (import.meta.main) runGenerator(accessLog)

/** Reading Content-Type and choosing by Accept. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  acceptsExactly,
  charsetOf,
  mediaTypeOf,
  preferredMediaType,
} from '../../../client/api/media-types.ts'

describe('a Content-Type', () => {
  test.each([
    ['application/json', 'application/json'],
    ['Application/JSON; charset=utf-8', 'application/json'],
    [' text/plain ;x=y', 'text/plain'],
    ['application/vnd.spool.batches', 'application/vnd.spool.batches'],
    ['json', null],
    ['', null],
    ['a/b/c', null],
    ['text/pl ain', null],
    ['text/', null],
    [undefined, undefined],
  ])('%s is %s', (header, expected) => {
    expect(mediaTypeOf(header)).toBe(expected)
  })

  test('names its charset', () => {
    expect(charsetOf('text/plain; charset="ISO-8859-1"')).toBe('iso-8859-1')
    expect(charsetOf('text/plain')).toBeUndefined()
  })
})

const OFFERS = ['application/json', 'application/x-ndjson', 'text/event-stream'] as const

describe('Accept', () => {
  test.each([
    [undefined, 'application/json'],
    ['', 'application/json'],
    ['*/*', 'application/json'],
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'application/json'],
    ['application/x-ndjson', 'application/x-ndjson'],
    ['text/*', 'text/event-stream'],
    ['application/json;q=0.5, application/x-ndjson', 'application/x-ndjson'],
    ['application/json;q=0, */*', 'application/x-ndjson'],
    ['APPLICATION/X-NDJSON', 'application/x-ndjson'],
    ['text/html', undefined],
    ['application/json;q=0', undefined],
    ['nonsense', undefined],
  ])('%s gets %s', (accept, expected) => {
    expect(preferredMediaType(accept, OFFERS)).toBe(expected)
  })

  test('of any text gives an offer or none, never an error', () => {
    fc.assert(
      fc.property(fc.string(), (accept) => {
        const chosen = preferredMediaType(accept, OFFERS)
        expect(chosen === undefined || OFFERS.includes(chosen)).toBe(true)
      }),
    )
  })

  test('names a type exactly only without wildcards', () => {
    expect(acceptsExactly('text/event-stream', 'text/event-stream')).toBe(true)
    expect(acceptsExactly('*/*', 'text/event-stream')).toBe(false)
    expect(acceptsExactly(undefined, 'text/event-stream')).toBe(false)
  })
})

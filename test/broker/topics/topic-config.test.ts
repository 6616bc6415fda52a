/** Promises of a topic's settings: checked as sent, named when wrong, and shown with their source. */

import { describe, expect, test } from 'vitest'
import {
  changedConfig,
  configDifferences,
  describeConfig,
  topicConfigFrom,
} from '../../../broker/topics/topic-config.ts'
import { TOPIC_SETTINGS } from '../../../broker/topics/topic-settings.ts'

describe('a change of settings', () => {
  test('keeps only what was set, numbers also from their text, and null puts back', () => {
    const set = changedConfig(
      { 'retention.ms': 5, 'segment.bytes': 2_048 },
      { 'retention.ms': null, 'flush.messages': '10', 'compression.type': 'lz4' },
    )
    expect(set).toEqual({ 'segment.bytes': 2_048, 'flush.messages': 10, 'compression.type': 'lz4' })
  })

  test('takes both bounds of every number and refuses what is beyond, naming them', () => {
    for (const setting of TOPIC_SETTINGS) {
      if (setting.kind !== 'number') continue
      const { key, min, max } = setting
      expect(changedConfig({}, { [key]: min })[key]).toBe(min)
      expect(changedConfig({}, { [key]: max })[key]).toBe(max)
      for (const value of [min - 1, max + 1].filter((one) => one !== -1 || !setting.minusOne)) {
        const bounds = expect.stringContaining(`from ${min} to ${max}`)
        expect(() => changedConfig({}, { [key]: value })).toThrow(
          expect.objectContaining({ code: 'INVALID_CONFIG', message: bounds }),
        )
      }
    }
  })

  test('takes a policy by any of its names, and keeps one', () => {
    for (const policy of ['delete', 'compact', 'compact,delete']) {
      expect(changedConfig({}, { 'cleanup.policy': policy })).toEqual({ 'cleanup.policy': policy })
    }
    expect(changedConfig({}, { 'cleanup.policy': 'delete,compact' })).toEqual({
      'cleanup.policy': 'compact,delete',
    })
  })

  test('takes fractions where a part is meant, also from their text', () => {
    const key = 'min.cleanable.dirty.ratio'
    expect(changedConfig({}, { [key]: 0.25 })).toEqual({ [key]: 0.25 })
    expect(changedConfig({}, { [key]: '0.75' })).toEqual({ [key]: 0.75 })
    expect(changedConfig({}, { [key]: '1' })).toEqual({ [key]: 1 })
  })

  test('takes -1 only where it has a meaning', () => {
    expect(changedConfig({}, { 'retention.ms': -1 })).toEqual({ 'retention.ms': -1 })
    expect(() => changedConfig({}, { 'segment.bytes': -1 })).toThrow(/segment.bytes is -1/)
  })

  test.each([
    ['retention.ms', 'soon'],
    ['retention.ms', '1e3'],
    ['retention.ms', ''],
    ['retention.ms', 1.5],
    ['retention.ms', Number.NaN],
    ['retention.ms', '99999999999999999999'],
    ['cleanup.policy', 'compacted'],
    ['cleanup.policy', 'compact,compact'],
    ['cleanup.policy', 'constructor'],
    ['cleanup.policy', 1],
    ['min.cleanable.dirty.ratio', 1.01],
    ['min.cleanable.dirty.ratio', '0,5'],
    ['min.cleanable.dirty.ratio', '1e-1'],
    ['min.cleanable.dirty.ratio', Number.NaN],
    ['compression.type', 'LZ4'],
    ['min.insync.replicas', 0],
  ])('refuses %s = %j', (key, value) => {
    expect(() => changedConfig({}, { [key]: value })).toThrow(
      expect.objectContaining({ code: 'INVALID_CONFIG', message: expect.stringContaining(key) }),
    )
  })

  test.each(['retention', '__proto__', 'constructor', 'Retention.ms', ''])(
    'refuses the unknown key %j and says which there are',
    (key) => {
      const changes = Object.fromEntries([[key, 1]])
      expect(() => changedConfig({}, changes)).toThrow(/is no setting of a topic; these are: /)
    },
  )
})

describe('settings after defaults', () => {
  test('come from the topic, else this broker, else the table', () => {
    const set = { 'retention.ms': 7 }
    const broker = { 'retention.ms': 8, 'segment.bytes': 4_096 }
    const config = topicConfigFrom(set, broker)
    expect(config.log).toMatchObject({ retentionMs: 7, segmentBytes: 4_096, flushMessages: 1 })
    expect(config).toMatchObject({ compressionType: 'producer', minInSyncReplicas: 1 })
    const sources = new Map(describeConfig(set, broker).map((entry) => [entry.key, entry.source]))
    expect(sources.get('retention.ms')).toBe('topic')
    expect(sources.get('segment.bytes')).toBe('broker')
    expect(sources.get('flush.messages')).toBe('default')
  })

  test('are compared by what is in force, and only where they are named', () => {
    expect(configDifferences({ 'flush.messages': 1 }, {}, {})).toEqual([])
    expect(configDifferences({ 'flush.messages': 2 }, { 'segment.ms': 5_000 }, {})).toEqual([
      { key: 'flush.messages', wanted: 2, actual: 1 },
    ])
    expect(configDifferences({ 'segment.ms': 6_000 }, {}, { 'segment.ms': 5_000 })).toEqual([
      { key: 'segment.ms', wanted: 6_000, actual: 5_000 },
    ])
  })
})

/**
 * Settings come from flag, environment, file, default, in that order; whatever is wrong is named with
 * its setting, source, value and bounds; and the documentation is made from the tables.
 */

import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { environmentOf, flagOf } from '../../../broker/config/settings.ts'
import { BROKER_SETTINGS, SECTIONS } from '../../../broker/config/settings-table.ts'
import {
  ALL_SETTINGS,
  checkBind,
  readAuthToken,
  resolveSettings,
  settingsWith,
} from '../../../broker/config.ts'
import { configurationPage } from '../../../cli/settings-help.ts'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'spool-config-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

function fileWith(text: string, name = 'spool.yaml'): string {
  const path = join(directory, name)
  writeFileSync(path, text)
  return path
}

test('the session of a member that asks for none is one that may be asked for', async () => {
  expect(() => settingsWith({ groupSessionMs: 1_000, groupSessionMsMin: 2_000 })).toThrow(
    'group.consumer.session.timeout.ms is 1000, less than group.consumer.min.session.timeout.ms, 2000',
  )
  const flags = { 'group-consumer-max-session-timeout-ms': '30000' }
  await expect(resolveSettings({ flags, environment: {} })).rejects.toThrow(
    'is 45000, more than group.consumer.max.session.timeout.ms, 30000',
  )
})

describe('where a value comes from', () => {
  test('flag before environment before file before default', async () => {
    const configFile = fileWith('port: 1\nhost: 127.0.0.2\nnode.id: 9\nconnections.max: 5\n')
    const environment = { SPOOL_PORT: '2', SPOOL_HOST: '127.0.0.3' }
    const { settings, sources } = await resolveSettings({
      flags: { port: '3' },
      environment,
      configFile,
    })
    expect(settings).toMatchObject({ port: 3, host: '127.0.0.3', nodeId: 9, connectionsMax: 5 })
    expect(sources.get('port')).toBe('flag --port')
    expect(sources.get('host')).toBe('environment SPOOL_HOST')
    expect(sources.get('node.id')).toBe(`file ${configFile}`)
    expect(sources.get('log.level')).toBe('default')
  })

  test('a default of topics is kept under the topic’s key, and only when set', async () => {
    const { settings } = await resolveSettings({ flags: { 'log-roll-ms': '60000' } })
    expect(settings.topicDefaults).toEqual({ 'segment.ms': 60_000 })
  })

  test('lists and switches', async () => {
    const configFile = fileWith('cors.allowed.origins: [http://a.example]\ninsecure: true\n')
    const flags = { 'allowed-hosts': 'one.example, two.example' }
    const { settings } = await resolveSettings({ flags, configFile })
    expect(settings.allowedHosts).toEqual(['one.example', 'two.example'])
    expect(settings.corsAllowedOrigins).toEqual(['http://a.example'])
    expect(settings.insecure).toBe(true)
  })

  test('the same values from one program into another', () => {
    expect(settingsWith({ port: 0, dataDir: 'x' })).toMatchObject({
      port: 0,
      dataDir: 'x',
      nodeId: 1,
    })
    expect(() => settingsWith({ port: -1 })).toThrow(/port .*-1.*between 0 and 65535/)
    expect(() => settingsWith({ topicDefaults: { nonsense: 1 } })).toThrow(/nonsense/)
  })
})

describe('what is wrong is named', () => {
  test.each([
    [
      { flags: { port: '99999' } },
      'setting port (flag --port): "99999" is not an integer between 0 and 65535',
    ],
    [{ environment: { SPOOL_PORT: 'tcp://10.0.0.1:7766' } }, 'environment SPOOL_PORT'],
    [{ flags: { prot: '1' } }, 'flag --prot is not known; did you mean port?'],
    [{ flags: { 'log-level': 'loud' } }, 'one of fatal, error, warn, info, debug, trace'],
    [{ flags: { 'log-retention-ms': '-2' } }, 'or -1 (keep for ever)'],
    [{ flags: { 'data-dir': '' } }, 'log.dir'],
    [{ flags: { port: '1e3' } }, 'port'],
    [{ flags: { port: ' 1' } }, 'port'],
    [{ flags: { 'allowed-hosts': 'a,,b' } }, 'allowed.hosts'],
  ])('%j', async (sources, sentence) => {
    await expect(resolveSettings(sources)).rejects.toThrow(sentence)
  })

  test.each([
    ['prot: 1', 'setting prot (file'],
    ['port: "x"', 'setting port (file'],
    ['- a', 'must hold keys and values'],
    ['port: [', 'is not YAML'],
  ])('file %j', async (text, sentence) => {
    const configFile = fileWith(text)
    await expect(resolveSettings({ configFile })).rejects.toThrow(sentence)
  })

  test('a file that is not there', async () => {
    const configFile = join(directory, 'nothing.yaml')
    await expect(resolveSettings({ configFile })).rejects.toThrow('can not be read')
  })

  test('an unknown variable is only warned about', async () => {
    const { warnings } = await resolveSettings({ environment: { SPOOL_PROT: '1', OTHER: '2' } })
    expect(warnings).toEqual([expect.stringContaining('did you mean SPOOL_PORT?')])
  })

  test('any text for any setting is its value or one error that names it', async () => {
    const anySetting = fc.constantFrom(...ALL_SETTINGS)
    await fc.assert(
      fc.asyncProperty(anySetting, fc.string(), async (setting, text) => {
        try {
          await resolveSettings({ environment: { [environmentOf(setting)]: text } })
        } catch (error) {
          expect((error as Error).name).toBe('ConfigError')
          expect((error as Error).message).toContain(setting.key)
        }
      }),
    )
  })
})

describe('who may reach it', () => {
  const open = { host: '0.0.0.0', insecure: false, authTokenFile: undefined }

  test('another bind than loopback needs a token or a clear word', () => {
    expect(() => checkBind(open)).toThrow('--insecure')
    expect(() => checkBind({ ...open, host: '::' })).toThrow()
    expect(() => checkBind({ ...open, host: '127.0.0.1.example.org' })).toThrow()
    for (const host of ['127.0.0.1', '127.9.9.9', 'localhost', '::1', '[::1]']) {
      checkBind({ ...open, host })
    }
    checkBind({ ...open, insecure: true })
    checkBind({ ...open, authTokenFile: 'file' })
  })

  test('a token file that others may read is refused, and its token never shown', async () => {
    const path = fileWith('a-token-of-some-length\n', 'token')
    chmodSync(path, 0o600)
    expect(await readAuthToken(path)).toEqual({ token: 'a-token-of-some-length', warnings: [] })
    chmodSync(path, 0o640)
    expect((await readAuthToken(path)).warnings).toHaveLength(1)
    chmodSync(path, 0o644)
    await expect(readAuthToken(path)).rejects.toThrow('chmod 600')
    chmodSync(path, 0o600)
    for (const text of ['', 'short\n', 'two lines of\nsome length\n', 'späte-zeichen-im-token\n']) {
      writeFileSync(path, text)
      const error = await readAuthToken(path).catch((reason: Error) => reason)
      expect((error as Error).message).toContain('one line of 16 to 4096')
      if (text.trim() !== '') expect((error as Error).message).not.toContain(text.trim())
    }
  })
})

describe('the table', () => {
  test('every flag and variable has one meaning', () => {
    expect(new Set(ALL_SETTINGS.map(flagOf)).size).toBe(ALL_SETTINGS.length)
    expect(new Set(ALL_SETTINGS.map(environmentOf)).size).toBe(ALL_SETTINGS.length)
    expect(new Set(ALL_SETTINGS.map((setting) => setting.key)).size).toBe(ALL_SETTINGS.length)
  })

  test('every default is within its own bounds', async () => {
    for (const setting of ALL_SETTINGS) {
      const text = setting.default
      if (text === undefined || Array.isArray(text)) continue
      await resolveSettings({ flags: { [flagOf(setting)]: String(text) } })
    }
  })

  test('every heading stands before a setting', () => {
    for (const field of Object.keys(SECTIONS)) expect(field in BROKER_SETTINGS).toBe(true)
  })

  test('docs/configuration.md is what `npm run docs` writes', () => {
    const path = join(import.meta.dirname, '../../../docs/configuration.md')
    expect(readFileSync(path, 'utf8')).toBe(configurationPage())
  })
})

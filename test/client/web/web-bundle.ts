/** The web entry of the client as a bundler makes it for a page: one file, nothing left to import. */

import { join } from 'node:path'
import { rolldown } from 'rolldown'

const ENTRY = join(import.meta.dirname, '../../../client/web.ts')

/** Throws for whatever the bundler has to say, such as a module of Node's that it can not find. */
export async function webBundle({ minify = false } = {}): Promise<string> {
  const said: string[] = []
  const build = await rolldown({
    input: ENTRY,
    platform: 'browser',
    onLog: (_level, log) => said.push(log.message),
  })
  const { output } = await build.generate({ format: 'es', minify })
  await build.close()
  const [{ code, imports, dynamicImports }, ...others] = output
  said.push(...imports, ...dynamicImports, ...others.map((it) => it.fileName))
  if (said.length > 0) throw new Error(`the web entry is not one file: ${said.join('\n')}`)
  return code
}

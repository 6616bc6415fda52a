/**
 * Makes `dist/`, the JavaScript and types of the published package:
 *
 *     npm run build [-- DIRECTORY]
 *
 * The compiler does nearly all of it. One file is replaced afterwards: the door to MessagePack
 * becomes a bundle with the library inside, which would otherwise bring an install script and a native
 * build to everybody who installs the package (docs/package.md). Its licence goes along.
 */

import { execFileSync } from 'node:child_process'
import { globSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { rolldown } from 'rolldown'

const ROOT = import.meta.dirname
const BUNDLED = 'client/api/msgpack'
const LIBRARY = 'msgpackr'

const dist = resolve(process.argv[2] ?? join(ROOT, 'dist'))
rmSync(dist, { recursive: true, force: true })
const compiler = join(ROOT, 'node_modules/typescript/bin/tsc')
execFileSync(process.execPath, [compiler, '-p', 'tsconfig.build.json', '--outDir', dist], {
  cwd: ROOT,
  stdio: 'inherit',
})
for (const path of globSync('**/*.d.ts', { cwd: dist })) nameCompiledFiles(join(dist, path))
await bundle(join(ROOT, `${BUNDLED}.ts`), join(dist, `${BUNDLED}.js`))

/** Types name each other as sources do, `./x.ts`; only the newest compilers find `x.d.ts` by that. */
function nameCompiledFiles(path: string): void {
  const text = readFileSync(path, 'utf8')
  const named = text.replaceAll(/((?:from|import\()\s*'\.{1,2}\/[^']*)\.ts'/g, "$1.js'")
  if (named !== text) writeFileSync(path, named)
}

/** Puts a source file and the library it imports into one compiled file. */
async function bundle(source: string, file: string): Promise<void> {
  const build = await rolldown({
    input: source,
    platform: 'neutral',
    // Without Node's condition: that one brings more of the library than this file asks for.
    resolve: { conditionNames: ['import', 'default'] },
  })
  const { output } = await build.write({ file, format: 'es', banner: licenceComment() })
  await build.close()
  const imports = output.flatMap((each) => (each.type === 'chunk' ? each.imports : []))
  if (output.length !== 1 || imports.length > 0) {
    throw new Error(`${BUNDLED} is not whole: it imports ${imports.join(', ')}`)
  }
}

function licenceComment(): string {
  const directory = join(ROOT, 'node_modules', LIBRARY)
  const { version } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as {
    version: string
  }
  const licence = readFileSync(join(directory, 'LICENSE'), 'utf8').trim()
  const text = `This file contains ${LIBRARY} ${version}, whose licence is:\n\n${licence}`
  return `/*!\n${text.replaceAll(/^/gm, ' * ').replaceAll(/ +$/gm, '')}\n */`
}

/** Reads the imports of a source file without a parser, and finds cycles among them. For `tidy.test.ts`. */

import { dirname, join, normalize } from 'node:path'

export interface Import {
  /** The importing file, as a path inside the project. */
  readonly from: string
  /** As written. */
  readonly specifier: string
  /** The imported file, for a relative import. */
  readonly target: string | undefined
  /** Erased before the program runs. */
  readonly isTypeOnly: boolean
}

const STATEMENT = /^(?:import|export)\s+(type\s+)?(?:[^'"`;]*?\sfrom\s+)?'([^']+)'/gm
const CALL = /\b(?:import|require|require\.resolve)\(\s*'([^']+)'/g

/** Static and dynamic imports, re-exports and `require` calls in `text`. */
export function importsOf(path: string, text: string): Import[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '')
  const statements = [...code.matchAll(STATEMENT)].map((match) =>
    imported(path, match[2] ?? '', match[1] !== undefined || namesOnlyTypes(match[0])),
  )
  const calls = [...code.matchAll(CALL)].map((match) => imported(path, match[1] ?? '', false))
  return [...statements, ...calls]
}

function imported(from: string, specifier: string, isTypeOnly: boolean): Import {
  const isRelative = specifier.startsWith('.')
  return {
    from,
    specifier,
    target: isRelative ? normalize(join(dirname(from), specifier)) : undefined,
    isTypeOnly,
  }
}

/** `import { type A, type B } from …` is erased like `import type`. */
function namesOnlyTypes(statement: string): boolean {
  const names = /^import\s*\{([^}]*)\}/.exec(statement)?.[1]
  if (names === undefined) return false
  const listed = names.split(',').map((name) => name.trim())
  return listed.every((name) => name === '' || name.startsWith('type '))
}

/** The files of one cycle, first and last the same, or an empty list. */
export function findCycle(imports: readonly Import[]): string[] {
  const targets = new Map<string, string[]>()
  for (const { from, target } of imports) {
    if (target !== undefined) targets.set(from, [...(targets.get(from) ?? []), target])
  }
  const finished = new Set<string>()
  const path: string[] = []
  const visit = (file: string): string[] => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file]
    if (finished.has(file)) return []
    path.push(file)
    for (const target of targets.get(file) ?? []) {
      const cycle = visit(target)
      if (cycle.length > 0) return cycle
    }
    path.pop()
    finished.add(file)
    return []
  }
  for (const file of targets.keys()) {
    const cycle = visit(file)
    if (cycle.length > 0) return cycle
  }
  return []
}

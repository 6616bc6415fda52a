/**
 * The one door to MessagePack. It owns which library packs and unpacks and with which options; what may
 * be in the bytes of a stranger is checked before, by `msgpack-check.ts`.
 *
 * Nothing else imports the library, because the published package has none: the build puts the library
 * itself in this file's place (`build.ts`), without its optional native part, which would run
 * an install script at everybody who installs us. For the same reason its types do not leave this file.
 *
 * Imports no Node module. Loading it takes some milliseconds: what starts with the broker asks for it
 * when the first request needs it.
 */

import { Packr } from 'msgpackr/pack'

export interface MsgpackCodec {
  /** Absent members must be left out before; bytes stay bytes, a `bigint` is a 64-bit integer. */
  pack(value: unknown): Uint8Array
  /** Throws where the bytes end early. A 64-bit integer is a number where that is exact, else a `bigint`. */
  unpack(bytes: Uint8Array): unknown
}

/** Plain MessagePack both ways: none of the library's own record types. */
export function newMsgpackCodec(): MsgpackCodec {
  return new Packr({
    useRecords: false,
    variableMapSize: true,
    // Its types do not know 'auto'; its documentation does.
    int64AsType: 'auto' as 'number',
  })
}

/**
 * Streams of members with an instance id: one connection at a time is the instance. Its member id follows
 * from the instance id, so that the next connection is the same member and need not wait for the session of
 * the one before, which a broker that was killed could not end. Owns who is connected; the group owns who is
 * a member.
 */

import { createHash } from 'node:crypto'
import { SpoolError } from '../../../client/api/errors.ts'

/** Of the hash: as much as a random UUID has. */
const HASH_BYTES = 16

export class Instances {
  readonly #connected = new Set<string>()

  /**
   * The instance is this connection until the call that is returned.
   *
   * @throws SpoolError UNRELEASED_INSTANCE_ID while another connection is.
   */
  connect(groupId: string, instanceId: string): () => void {
    const key = JSON.stringify([groupId, instanceId])
    if (this.#connected.has(key)) {
      throw new SpoolError(
        'UNRELEASED_INSTANCE_ID',
        `instanceId ${instanceId} of group ${groupId} is in use by another connection; it is free when that ends`,
        { extensions: { field: 'instanceId' } },
      )
    }
    this.#connected.add(key)
    return () => this.#connected.delete(key)
  }
}

/** An instance id may be longer than a member id may, so its hash. */
export function memberIdOf(instanceId: string): string {
  const hash = createHash('sha256').update(instanceId).digest()
  return `instance-${hash.toString('hex', 0, HASH_BYTES)}`
}

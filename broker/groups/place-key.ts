/** A partition as the key of a map: by topic id, because a topic created again is another one. */
export function placeKey({
  topicId,
  partition,
}: {
  readonly topicId: string
  readonly partition: number
}): string {
  return `${topicId}/${partition}`
}

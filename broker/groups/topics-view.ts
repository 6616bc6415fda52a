/** The topics of the cluster image as groups see them: made once per picture, numbered by how often it changed. */

import type { ClusterImage, TopicImage } from '../cluster/cluster-image.ts'
import type { GroupTopic, GroupTopics } from './group-topics.ts'

export class TopicsView {
  readonly #image: () => ClusterImage
  #seen: ClusterImage | undefined
  #topics: GroupTopics = new ServedTopics([], 0)
  #version = 0

  constructor(image: () => ClusterImage) {
    this.#image = image
  }

  now(): GroupTopics {
    const image = this.#image()
    if (image === this.#seen) return this.#topics
    this.#seen = image
    this.#version += 1
    const served = [...image.topics.values()].filter(isServed)
    this.#topics = new ServedTopics(served, this.#version)
    return this.#topics
  }
}

function isServed({ state, isInternal }: TopicImage): boolean {
  return state === 'active' && !isInternal
}

class ServedTopics implements GroupTopics {
  readonly version: number
  readonly #byName: ReadonlyMap<string, GroupTopic>
  readonly #byId: ReadonlyMap<string, GroupTopic>

  constructor(topics: readonly GroupTopic[], version: number) {
    this.version = version
    this.#byName = new Map(topics.map((topic) => [topic.name, topic]))
    this.#byId = new Map(topics.map((topic) => [topic.topicId, topic]))
  }

  byName(name: string): GroupTopic | undefined {
    return this.#byName.get(name)
  }

  byId(topicId: string): GroupTopic | undefined {
    return this.#byId.get(topicId)
  }

  names(): Iterable<string> {
    return this.#byName.keys()
  }
}

/** The routes of topics and of idempotent producers. */

import { JSON_TYPE } from '../media-types.ts'
import { defineRoute, strictObject } from '../route.ts'
import { Type } from '../schema.ts'
import {
  Offset,
  PartitionNumber,
  Position,
  ProducerEpoch,
  ProducerId,
  TopicName,
} from '../schemas/scalars.ts'
import {
  AlterTopic,
  CreateTopic,
  PutTopic,
  TopicDescription,
  TopicList,
  TopicOffsets,
  TrimmedPartition,
} from '../schemas/topics.ts'

/** Topics in one page of the list. */
export const TOPIC_LIST_LIMIT_MAX = 1_000
export const TOPIC_LIST_LIMIT_DEFAULT = 100

const described = (description: string) => ({
  description,
  content: { [JSON_TYPE]: TopicDescription },
})

export const TOPIC_ROUTES = {
  listTopics: defineRoute({
    method: 'GET',
    path: '/v1/topics',
    operationId: 'listTopics',
    tag: 'Topics',
    summary: 'List topics, in the order of their names',
    query: {
      limit: Type.Optional(
        Type.Integer({
          minimum: 1,
          maximum: TOPIC_LIST_LIMIT_MAX,
          description: `Topics in one answer; ${TOPIC_LIST_LIMIT_DEFAULT} when absent.`,
        }),
      ),
      after: Type.Optional(
        Type.String({ maxLength: 249, description: 'Only topics whose name comes after this.' }),
      ),
      internal: Type.Optional(Type.Boolean({ description: "True: also the broker's own topics." })),
    },
    responses: {
      200: {
        description: 'A page of the list; Link: rel="next" leads to the next one.',
        content: { [JSON_TYPE]: TopicList },
        headers: { Link: 'The next page, if there is one.' },
      },
    },
    hasHead: true,
  }),
  createTopic: defineRoute({
    method: 'POST',
    path: '/v1/topics',
    operationId: 'createTopic',
    tag: 'Topics',
    summary: 'Create a topic',
    body: {
      kind: 'document',
      schema: CreateTopic,
      content: { [JSON_TYPE]: CreateTopic },
      isRequired: true,
    },
    responses: {
      201: { ...described('Created.'), headers: { Location: 'The topic.' } },
    },
  }),
  putTopic: defineRoute({
    method: 'PUT',
    path: '/v1/topics/{topic}',
    operationId: 'putTopic',
    tag: 'Topics',
    summary: 'Create a topic, or confirm that it is there as described',
    description:
      '409 names what differs. Fields and settings that the request does not name are not compared.',
    params: { topic: TopicName },
    body: {
      kind: 'document',
      schema: PutTopic,
      content: { [JSON_TYPE]: PutTopic },
      isRequired: false,
    },
    responses: {
      200: described('It was there, the same.'),
      201: { ...described('Created.'), headers: { Location: 'The topic.' } },
    },
  }),
  describeTopic: defineRoute({
    method: 'GET',
    path: '/v1/topics/{topic}',
    operationId: 'describeTopic',
    tag: 'Topics',
    summary: 'Describe a topic: settings with their sources, partitions with their offsets',
    params: { topic: TopicName },
    responses: { 200: described('The topic.') },
    hasHead: true,
  }),
  alterTopic: defineRoute({
    method: 'PATCH',
    path: '/v1/topics/{topic}',
    operationId: 'alterTopic',
    tag: 'Topics',
    summary: 'Change settings, or add partitions',
    params: { topic: TopicName },
    body: {
      kind: 'document',
      schema: AlterTopic,
      content: { [JSON_TYPE]: AlterTopic },
      isRequired: true,
    },
    responses: { 200: described('The topic as it is now.') },
  }),
  deleteTopic: defineRoute({
    method: 'DELETE',
    path: '/v1/topics/{topic}',
    operationId: 'deleteTopic',
    tag: 'Topics',
    summary: 'Delete a topic with all its records',
    params: { topic: TopicName },
    responses: { 204: { description: 'Deleted.' } },
  }),
  topicOffsets: defineRoute({
    method: 'GET',
    path: '/v1/topics/{topic}/offsets',
    operationId: 'topicOffsets',
    tag: 'Topics',
    summary: 'Which offset a position means, in every partition',
    description:
      'A time gives the first record at or after it, or the end where there is none. A bare offset is refused for a topic with several partitions.',
    params: { topic: TopicName },
    query: { at: Position },
    responses: {
      200: { description: 'An offset per partition.', content: { [JSON_TYPE]: TopicOffsets } },
    },
  }),
  deleteRecords: defineRoute({
    method: 'DELETE',
    path: '/v1/topics/{topic}/partitions/{partition}/records',
    operationId: 'deleteRecords',
    tag: 'Topics',
    summary: 'Trim the start of a partition',
    params: { topic: TopicName, partition: PartitionNumber },
    query: { before: Offset },
    responses: {
      200: {
        description: 'Where the partition starts now.',
        content: { [JSON_TYPE]: TrimmedPartition },
      },
    },
  }),
  createProducer: defineRoute({
    method: 'POST',
    path: '/v1/producers',
    operationId: 'createProducer',
    tag: 'Produce',
    summary: 'Get a producer id, to append once only',
    responses: {
      201: {
        description: 'An id nobody else has; its sequence starts at 0 in every partition.',
        content: {
          [JSON_TYPE]: strictObject({ producerId: ProducerId, producerEpoch: ProducerEpoch }),
        },
      },
    },
  }),
} as const

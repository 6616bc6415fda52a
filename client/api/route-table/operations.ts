/** The routes of a broker's operation: health, cluster, metrics, documentation. */

import { HTML_TYPE, JSON_TYPE, TEXT_TYPE } from '../media-types.ts'
import { defineRoute, strictObject } from '../route.ts'
import { Type } from '../schema.ts'
import { ClusterDescription } from '../schemas/cluster.ts'

const Status = (status: string) => strictObject({ status: Type.Literal(status) })

export const OPERATION_ROUTES = {
  welcome: defineRoute({
    method: 'GET',
    path: '/',
    operationId: 'welcome',
    tag: 'Operations',
    summary: 'Three commands to start with',
    responses: {
      200: { description: 'Text for a terminal.', content: { [TEXT_TYPE]: Type.String() } },
    },
  }),
  live: defineRoute({
    method: 'GET',
    path: '/health/live',
    operationId: 'live',
    tag: 'Operations',
    summary: 'Whether the process lives',
    isOpen: true,
    responses: { 200: { description: 'It does.', content: { [JSON_TYPE]: Status('live') } } },
  }),
  ready: defineRoute({
    method: 'GET',
    path: '/health/ready',
    operationId: 'ready',
    tag: 'Operations',
    summary: 'Whether the broker serves: 503 until its logs are recovered',
    isOpen: true,
    responses: { 200: { description: 'It does.', content: { [JSON_TYPE]: Status('ready') } } },
  }),
  cluster: defineRoute({
    method: 'GET',
    path: '/v1/cluster',
    operationId: 'describeCluster',
    tag: 'Operations',
    summary: 'The cluster: its id, brokers and controller',
    responses: {
      200: { description: 'The cluster.', content: { [JSON_TYPE]: ClusterDescription } },
    },
  }),
  metrics: defineRoute({
    method: 'GET',
    path: '/metrics',
    operationId: 'metrics',
    tag: 'Operations',
    summary: 'Counters and gauges for Prometheus',
    responses: {
      200: { description: 'Prometheus text format.', content: { [TEXT_TYPE]: Type.String() } },
    },
  }),
  openapi: defineRoute({
    method: 'GET',
    path: '/openapi.json',
    operationId: 'openapi',
    tag: 'Operations',
    summary: 'This interface as OpenAPI 3.1',
    responses: {
      200: { description: 'The document.', content: { [JSON_TYPE]: Type.Object({}) } },
    },
  }),
  docs: defineRoute({
    method: 'GET',
    path: '/docs',
    operationId: 'docs',
    tag: 'Operations',
    summary: 'This interface as a page to read and try',
    responses: { 200: { description: 'The page.', content: { [HTML_TYPE]: Type.String() } } },
  }),
  docsAsset: defineRoute({
    method: 'GET',
    path: '/docs/static/{file}',
    operationId: 'docsAsset',
    tag: 'Operations',
    summary: 'A script, style or picture of the page',
    params: { file: Type.String({ pattern: '^[a-z0-9][a-z0-9.-]{0,80}$' }) },
    responses: { 200: { description: 'The file.', content: { '*/*': 'bytes' } } },
  }),
} as const

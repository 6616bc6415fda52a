/**
 * The one table of routes: everything the HTTP interface takes and answers. The server validates by it,
 * `/openapi.json` is written from it. The rows stand in `route-table/`, by subject.
 */

import { GROUP_ROUTES } from './route-table/groups.ts'
import { OPERATION_ROUTES } from './route-table/operations.ts'
import { RECORD_ROUTES } from './route-table/records.ts'
import { TOPIC_ROUTES } from './route-table/topics.ts'

export const ROUTES = {
  ...TOPIC_ROUTES,
  ...RECORD_ROUTES,
  ...GROUP_ROUTES,
  ...OPERATION_ROUTES,
} as const

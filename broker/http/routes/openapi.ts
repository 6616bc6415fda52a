/**
 * The interface described by itself: the OpenAPI document, made on first use from the table of routes,
 * and the page that shows it, whose assets come from this process (`docs-page.ts`).
 */

import type { FastifyInstance } from 'fastify'
import { ROUTES } from '../../../client/api/routes.ts'
import type { BrokerContext } from '../../context.ts'
import { addRoute } from '../add-route.ts'

export function registerOpenApi(app: FastifyInstance, context: BrokerContext): void {
  let document: Promise<object> | undefined
  const load = () => {
    document ??= import('../openapi-document.ts').then((module) =>
      module.openApiDocument(Object.values(ROUTES)),
    )
    return document
  }
  addRoute(app, context, ROUTES.openapi, {
    handle: async () => ({ document: await load() }),
  })
  for (const route of [ROUTES.docs, ROUTES.docsAsset]) {
    addRoute(app, context, route, {
      handle: async ({ request, reply }) => {
        const { sendDocs } = await import('../docs-page.ts')
        await sendDocs(request, reply)
        return undefined
      },
    })
  }
}

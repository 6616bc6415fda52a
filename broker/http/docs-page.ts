/**
 * The page that shows the OpenAPI document, from assets in this process: it works without a network.
 * Swagger UI and its file server live in a Fastify of their own, made when somebody first looks, so
 * that a broker nobody reads about does not hold them in memory.
 */

import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { SpoolError, toProblem } from '../../client/api/errors.ts'
import { PROBLEM_TYPE } from '../../client/api/media-types.ts'
import { renderJson } from './error-reply.ts'

/** Swagger UI sets styles from scripts; everything it loads is ours. */
const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
  "font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

let page: Promise<FastifyInstance> | undefined

/** Answers a request below `/docs` from the page's own application. */
export async function sendDocs(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  page ??= createPage()
  const docs = await page
  reply.hijack()
  reply.raw.setHeader('x-content-type-options', 'nosniff')
  docs.routing(request.raw, reply.raw)
}

async function createPage(): Promise<FastifyInstance> {
  const app = Fastify({ logger: false, exposeHeadRoutes: false })
  app.setNotFoundHandler((_request, reply) => {
    const error = new SpoolError('RESOURCE_NOT_FOUND', 'the page has no such file')
    return reply
      .code(404)
      .header('content-type', PROBLEM_TYPE)
      .send(Buffer.from(renderJson(toProblem(error), false)))
  })
  // The page reads /openapi.json itself; the plugin only insists that there is a document.
  await app.register(swagger, {
    openapi: { openapi: '3.1.0', info: { title: 'Spool', version: '1' } },
  })
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    uiConfig: { url: '/openapi.json', deepLinking: true, docExpansion: 'list', validatorUrl: null },
    staticCSP: CONTENT_SECURITY_POLICY,
    theme: { title: 'Spool over HTTP' },
  })
  await app.ready()
  return app
}

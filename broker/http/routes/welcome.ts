/** What a person sees who opens the address: three commands that show what this is. */

import type { FastifyInstance } from 'fastify'
import { ROUTES } from '../../../client/api/routes.ts'
import type { BrokerContext } from '../../context.ts'
import { addRoute } from '../add-route.ts'

export function registerWelcome(app: FastifyInstance, context: BrokerContext): void {
  addRoute(app, context, ROUTES.welcome, {
    // Browsers and curl alike get the text.
    choosesType: true,
    handle: ({ request }) => ({
      contentType: 'text/plain; charset=utf-8',
      payload: welcomeText(request.headers.host ?? 'localhost:7766', context),
    }),
  })
}

function welcomeText(host: string, context: BrokerContext): string {
  const url = `http://${host}`
  const token =
    context.settings.authTokenFile === undefined ? '' : ` -H "Authorization: Bearer $SPOOL_TOKEN"`
  return `Spool is running. Create a topic, append a record, read it:

  curl${token} -X PUT --json '{"partitions": 1}' ${url}/v1/topics/hello
  curl${token} --json '{"key": "greeting", "value": {"text": "hello"}}' ${url}/v1/topics/hello/records
  curl${token} '${url}/v1/topics/hello/records?from=earliest&pretty=true'

All there is: ${url}/docs to read, ${url}/openapi.json for programs.
`
}

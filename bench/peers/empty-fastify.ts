/** The least a Fastify server can do for a POST: take the body as bytes and answer with a small object. */

import { fastify } from 'fastify'

const app = fastify()
app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
app.removeContentTypeParser('application/json')
app.post('/empty', async () => ({ ok: true }))
await app.listen({ port: 0, host: '127.0.0.1' })
console.log(new URL(app.listeningOrigin).port)

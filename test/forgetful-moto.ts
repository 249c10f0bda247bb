import { createServer, request, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { closeServer, listen } from '../src/sandbox/listen.ts';
import { type MotoServer, motoServer } from './tools.ts';

/**
 * moto, forgetting what its zones once held. It refuses to create a set with values that it had before, as the names of
 * every cluster have again when a member comes back. So it is told to UPSERT what the client would CREATE: nothing is
 * refused for being there, of which moto saw little before (the contract lists it). Ends with the scope.
 */
export async function forgetfulMoto(): Promise<MotoServer> {
  await using making = new AsyncDisposableStack();
  const moto = making.use(await motoServer());
  const server = createServer((asked, answer) => {
    void (async () => {
      const body = await text(asked);
      const sent = isChange(asked) ? body.replaceAll('<Action>CREATE<', '<Action>UPSERT<') : body;
      const { method, headers, url } = asked;
      const passed = request(new URL(url ?? '/', moto.url), {
        method,
        headers: { ...headers, 'content-length': Buffer.byteLength(sent) },
      });
      passed.on('error', (error) => answer.destroy(error));
      passed.on('response', (given) => {
        answer.writeHead(given.statusCode ?? 500, given.headers);
        given.pipe(answer);
      });
      passed.end(sent);
    })().catch((error: unknown) => answer.destroy(error instanceof Error ? error : undefined));
  });
  making.defer(() => closeServer(server));
  await listen(server, { host: '127.0.0.1', port: 0 });
  const where = server.address();
  if (where === null || typeof where === 'string') throw new Error('no port');
  const made = making.move();
  return { url: `http://127.0.0.1:${where.port}`, [Symbol.asyncDispose]: () => made.disposeAsync() };
}

function isChange({ method, url }: IncomingMessage): boolean {
  return method === 'POST' && /\/hostedzone\/[^/]+\/rrset\/?$/.test(url ?? '');
}

import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ApplianceError } from '../errors.ts';
import type { Face } from './face.ts';
import { answer } from './routes.ts';
import type { Answer } from './routes.ts';

/** Where to listen, and limits. */
export interface FaceServerOptions {
  readonly address: string;
  /** 0: any free port. */
  readonly port: number;
  /** For a request to arrive, and for the face to answer it. */
  readonly limitMs?: number;
  /** For answers in flight when the server is closed. */
  readonly closeGraceMs?: number;
  /** More connections at a time are closed as they come. */
  readonly mostConnections?: number;
}

/** What the server needs of the rest. */
export interface FaceServerDeps {
  readonly face: Face;
  readonly log: { warn(fields: object, message: string): void };
}

/** A server that listens. */
export interface FaceServer {
  readonly port: number;
  /** Takes no new connections, lets answers in flight end, then cuts. Never rejects; may be called twice. */
  close(): Promise<void>;
}

const HEADERS = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
} as const;

/**
 * Serves the face over HTTP. Whatever a client sends, the worst that happens is that its own connection is closed.
 * Throws `unavailable` where the address cannot be bound.
 */
export async function startFaceServer(options: FaceServerOptions, deps: FaceServerDeps): Promise<FaceServer> {
  const { limitMs = 5000, closeGraceMs = 2000, mostConnections = 256 } = options;
  const server = createServer(
    {
      maxHeaderSize: 8 * 1024,
      headersTimeout: limitMs,
      requestTimeout: limitMs,
      keepAliveTimeout: 5000,
      connectionsCheckingInterval: Math.min(limitMs, 1000),
    },
    (request, response) => void serve(request, response, { ...deps, limitMs }),
  );
  server.maxConnections = mostConnections;
  // A client that asks and does not read what it asked for would keep its place for ever.
  server.setTimeout(2 * limitMs);
  await listen(server, options);
  server.on('error', (error) => deps.log.warn({ error }, 'the HTTP server met an error'));
  let closed: Promise<void> | null = null;
  return {
    port: (server.address() as AddressInfo).port,
    close: () => (closed ??= close(server, closeGraceMs)),
  };
}

async function listen(server: Server, { address, port }: FaceServerOptions): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject).listen(port, address, resolve);
  try {
    await promise;
    server.off('error', reject);
  } catch (cause) {
    const message = `cannot listen on ${address} port ${port}; free the port or configure STATUS_PORT or LISTEN_ADDRESS`;
    throw new ApplianceError({ code: 'unavailable', service: 'http' }, message, { cause });
  }
}

async function close(server: Server, graceMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  const cut = setTimeout(() => server.closeAllConnections(), graceMs);
  await promise;
  clearTimeout(cut);
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  deps: FaceServerDeps & { readonly limitMs: number },
): Promise<void> {
  // A client that goes away is no news.
  request.on('error', () => undefined);
  response.on('error', () => undefined);
  send(request, response, await answerWithin(request, deps));
}

async function answerWithin(
  request: IncomingMessage,
  { face, log, limitMs }: FaceServerDeps & { readonly limitMs: number },
): Promise<Answer> {
  const { promise: late, resolve } = Promise.withResolvers<Answer>();
  const timer = setTimeout(() => resolve(failure(503, `no answer within ${limitMs / 1000} s`)), limitMs);
  try {
    return await Promise.race([answer(request.method ?? '', request.url ?? '', face), late]);
  } catch (error) {
    log.warn({ error, url: request.url }, 'a page could not be made');
    return failure(500, 'the page could not be made; the log says why');
  } finally {
    clearTimeout(timer);
  }
}

function failure(status: number, error: string): Answer {
  return { status, contentType: 'application/json', body: `${JSON.stringify({ error })}\n`, headers: {} };
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  { status, contentType, body, headers }: Answer,
): void {
  if (response.destroyed) return;
  // A body is never read; a connection on which one was announced cannot be used again.
  const hasBody =
    request.headers['transfer-encoding'] !== undefined || (request.headers['content-length'] ?? '0') !== '0';
  response.writeHead(status, {
    ...HEADERS,
    ...headers,
    ...(hasBody ? { connection: 'close' } : {}),
    'content-type': contentType,
    'content-length': Buffer.byteLength(body),
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

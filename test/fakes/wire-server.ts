import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as an AWS service sees it. */
export interface WireRequest {
  /** ec2, autoscaling, route53; `imds` for what is not signed. */
  readonly service: string;
  readonly region: string;
  readonly accessKeyId: string;
  /** Query services: the Action; others: method and path without the query. */
  readonly action: string;
  /** Form fields of query services; the query string of others. */
  readonly params: URLSearchParams;
  readonly body: string;
  readonly headers: IncomingMessage['headers'];
}

/** An answer to give, or what happens instead of one. */
export type WireAnswer = { readonly status?: number; readonly body: string } | 'hang' | 'reset';

/** A server that speaks whatever a test makes it say, on a port of its own. */
export interface WireServer extends AsyncDisposable {
  readonly endpoint: string;
  readonly requests: readonly WireRequest[];
  /** How many connections were ever made. */
  connections(): number;
  openConnections(): number;
}

/** Starts a server that answers each request by `answer`, which is told how many came before it. */
export async function startWireServer(
  answer: (request: WireRequest, earlier: number) => WireAnswer | Promise<WireAnswer>,
): Promise<WireServer> {
  const requests: WireRequest[] = [];
  const server = createServer((incoming, response) => {
    let body = '';
    incoming.setEncoding('utf8');
    incoming.on('data', (chunk: string) => (body += chunk));
    incoming.on('end', () => {
      const request = read(incoming, body);
      requests.push(request);
      void Promise.resolve(answer(request, requests.length - 1)).then((given) => {
        if (given === 'hang') return;
        if (given === 'reset') incoming.socket.resetAndDestroy();
        else response.writeHead(given.status ?? 200).end(given.body);
      });
    });
  });
  let connections = 0;
  let open = 0;
  server.on('connection', (socket) => {
    connections += 1;
    open += 1;
    socket.on('close', () => (open -= 1));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    requests,
    connections: () => connections,
    openConnections: () => open,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

function read(incoming: IncomingMessage, body: string): WireRequest {
  const url = new URL(incoming.url ?? '/', 'http://host');
  const scope = /Credential=([^/]+)\/\d+\/([^/]+)\/([^/]+)\//.exec(incoming.headers.authorization ?? '');
  const [, accessKeyId = '', region = '', service = 'imds'] = scope ?? [];
  const isQuery = service === 'ec2' || service === 'autoscaling';
  const params = isQuery ? new URLSearchParams(body) : url.searchParams;
  const action = isQuery ? (params.get('Action') ?? '') : `${incoming.method ?? ''} ${url.pathname}`;
  return { service, region, accessKeyId, action, params, body, headers: incoming.headers };
}

import type { BirthHint, Check, Face } from './face.ts';
import { renderPage } from './page.ts';

/** A whole answer. */
export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

type Route = (face: Face, query: URLSearchParams) => Answer | Promise<Answer>;

const ROUTES: ReadonlyMap<string, Route> = new Map<string, Route>([
  ['/', (face) => html(renderPage(face.status(), face.members(), face.ready()))],
  ['/birth', answerBirth],
  ['/upgrade', async (face, query) => json(200, await face.upgrade(query.get('fresh') === '1'))],
  ['/members', (face) => json(200, face.members())],
  ['/status', (face) => json(200, face.status())],
  ['/healthz', (face) => check(face.health())],
  ['/readyz', (face) => check(face.ready())],
  [
    '/metrics',
    async (face) => {
      const { contentType, text } = await face.metrics();
      return { status: 200, contentType, body: text, headers: {} };
    },
  ],
]);

/** The paths of all pages. */
export const PATHS: readonly string[] = [...ROUTES.keys()];

/** The answer to one request; throws only what the face throws. */
export async function answer(method: string, url: string, face: Face): Promise<Answer> {
  // A request target is a path here; a URL of another host, or `*`, is nobody's page.
  if (!url.startsWith('/')) return json(400, { error: 'the request target is no path' });
  const [path = '', ...rest] = url.split('?');
  const route = ROUTES.get(path);
  if (route === undefined) {
    return json(404, { error: `no such page; there are ${PATHS.join(' ')}` });
  }
  if (method !== 'GET' && method !== 'HEAD') {
    return { ...json(405, { error: 'only GET and HEAD are allowed' }), headers: { allow: 'GET, HEAD' } };
  }
  return route(face, new URLSearchParams(rest.join('?')));
}

async function answerBirth(face: Face, query: URLSearchParams): Promise<Answer> {
  const hint = readHint(query);
  if (hint === null) return json(400, { error: 'epoch must be a whole number from 0 on' });
  return json(200, await face.birth(hint));
}

function readHint(query: URLSearchParams): BirthHint | null {
  const epoch = query.get('epoch') ?? '0';
  if (!/^\d{1,15}$/.test(epoch)) return null;
  // An instance id, or nobody: the text ends up in logs.
  const from = /^[\w.-]{1,64}$/.exec(query.get('from') ?? '');
  return { epoch: Number(epoch), from: from?.[0] ?? null };
}

function check({ ok, reason }: Check): Answer {
  return json(ok ? 200 : 503, { ok, reason });
}

function json(status: number, value: unknown): Answer {
  return {
    status,
    contentType: 'application/json',
    body: `${JSON.stringify(value, null, 2)}\n`,
    headers: {},
  };
}

function html(body: string): Answer {
  return { status: 200, contentType: 'text/html; charset=utf-8', body, headers: {} };
}

import type { IncomingMessage } from 'node:http';
import { CloudError } from './cloud-error.ts';

/** What a request asks for, as a URL whose host means nothing. Throws a CloudError (400) where the target is no path. */
export function requestUrl(request: IncomingMessage): URL {
  const target = request.url ?? '';
  // A URL of another host, `*` and the like are no page of ours. `//` is a path; parsed by itself it would be a host.
  if (!target.startsWith('/')) throw new CloudError('BadRequest', 'the request target is no path');
  return new URL(`http://sandbox${target}`);
}

/** The characters of a path, its %-escapes resolved. Throws a CloudError (400) where they are no text. */
export function decodedPath(url: URL): string {
  try {
    return decodeURIComponent(url.pathname);
  } catch {
    throw new CloudError('BadRequest', 'the path holds escapes that are no UTF-8');
  }
}

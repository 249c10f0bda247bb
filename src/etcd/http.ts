import { type IncomingMessage, request } from 'node:http';

/** An answer over plain HTTP. */
export interface HttpReply {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  /** At most a little over 1 MiB of it. */
  readonly body: string;
}

const LONGEST_BODY = 1024 * 1024;

/** One request to etcd's HTTP, on a connection of its own; a POST sends `{}`. Throws where no answer came within the limit. */
export async function askHttp(
  method: 'GET' | 'POST',
  url: string,
  limitMs: number,
  signal: AbortSignal,
): Promise<HttpReply> {
  const limit = AbortSignal.timeout(limitMs);
  try {
    return await new Promise<HttpReply>((resolve, reject) => {
      const options = { method, signal: AbortSignal.any([signal, limit]), agent: false };
      let answered = false;
      const question = request(url, options, (response) => {
        answered = true;
        readBody(response).then(
          (body) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
          (error: unknown) => reject(error instanceof Error ? error : new Error(String(error))),
        );
      });
      question.once('error', reject);
      // An answer that asks for another protocol (101) is dropped by Node without a word.
      question.once('close', () => {
        if (!answered) reject(new Error('the connection was closed without an answer'));
      });
      question.end(method === 'POST' ? '{}' : undefined);
    });
  } catch (error) {
    if (limit.aborted && !signal.aborted) throw new Error(`no answer within ${limitMs} ms`, { cause: error });
    throw error;
  }
}

/** The fields of a JSON object; none where the text is no such object. */
export function fieldsOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

async function readBody(response: IncomingMessage): Promise<string> {
  let body = '';
  response.setEncoding('utf8');
  for await (const chunk of response) {
    body += String(chunk);
    if (body.length > LONGEST_BODY) break;
  }
  return body;
}

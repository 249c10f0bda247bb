import { Readable } from 'node:stream';

/** The largest answer that is read: what we ask for is a few hundred KiB at the most. */
const LARGEST_ANSWER_BYTES = 8 * 1024 * 1024;

/** A refusal is a few words. */
const LARGEST_REFUSAL_BYTES = 256 * 1024;

/** What of a client's middleware is needed here: the same for all, but each client has types of its own for it. */
export interface Guarded {
  add(middleware: Middleware, options: object): void;
}

type Handler = (args: never) => Promise<{ readonly response: unknown; readonly output: never }>;
type Middleware = (next: Handler, context: { readonly commandName?: string }) => Handler;

/**
 * Lets a client of the SDK read whole answers of a bounded size, and take for success only what the action itself answers. Without
 * it the SDK collects whatever comes for as long as the deadline lets it, and reads the page of a proxy that says 200
 * as an answer that lists nothing: unknown taken for empty (law 4).
 */
export function guardAnswers(stack: Guarded): void {
  stack.add(
    (next, context) => async (args) => {
      const output = await next(args);
      const response = httpResponseOf(output.response);
      if (response === null) return output;
      const body = await collect(response);
      const action = (context.commandName ?? '').replace(/Command$/, '');
      // All three services answer with an element named after the action; the rest is the SDK's to read.
      if (body.includes('<!DOCTYPE')) throw badAnswer('is a document of its own making', response.statusCode);
      if (response.statusCode < 300 && !body.includes(`<${action}Response`)) {
        throw badAnswer(
          `holds no ${action}Response: something else answers at that address`,
          response.statusCode,
        );
      }
      response.body = Readable.from([body]);
      return output;
    },
    { step: 'deserialize', name: 'guardAnswers', priority: 'low' },
  );
}

interface HttpResponse {
  readonly statusCode: number;
  body: AsyncIterable<Uint8Array> & { destroy?: () => void };
}

function httpResponseOf(response: unknown): HttpResponse | null {
  if (typeof response !== 'object' || response === null || !('body' in response)) return null;
  const { body } = response;
  const streams = typeof body === 'object' && body !== null && Symbol.asyncIterator in body;
  return streams ? (response as HttpResponse) : null;
}

async function collect({ body, statusCode }: HttpResponse): Promise<Buffer> {
  const most = statusCode < 300 ? LARGEST_ANSWER_BYTES : LARGEST_REFUSAL_BYTES;
  const chunks: Uint8Array[] = [];
  let size = 0;
  // Leaving the loop destroys the stream, and with it the connection.
  for await (const chunk of body) {
    size += chunk.length;
    if (size > most) throw badAnswer(`is larger than ${most / 1024} KiB`, statusCode);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** An answer that cannot be AWS's; the words follow "the answer". */
function badAnswer(what: string, httpStatusCode: number): Error {
  return Object.assign(new Error(`the answer ${what}`), { name: 'BadAnswer', $metadata: { httpStatusCode } });
}

/** The output, where it has the field that each answer of its kind has, if only an empty list. Throws where it has not. */
export function holding<Output extends object>(output: Output, field: keyof Output & string): Output {
  if (output[field] !== undefined) return output;
  throw badAnswer(`holds no ${field}`, 200);
}

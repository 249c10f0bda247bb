import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';

/** What one appliance is asked. */
export interface Question {
  readonly address: string;
  readonly port: number;
  /** With the query, if any. */
  readonly path: string;
  /** An answer above this is no answer. */
  readonly maxBytes: number;
}

/** Something answered, and not as an appliance does; the message is a clause about it. */
export class Refusal extends Error {}

/**
 * One GET: the text of a whole answer with one of these statuses. Rejects with a `Refusal` where it is anything else, with
 * what Node says where there is no answer, and where `signal` is aborted.
 */
export async function get(
  { address, port, path, maxBytes }: Question,
  statuses: readonly number[],
  signal: AbortSignal,
): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  // No agent: an appliance that was replaced must not answer through an old connection.
  const asked = request({
    host: address,
    port,
    path,
    agent: false,
    signal,
    headers: { accept: 'application/json' },
  });
  asked.on('response', resolve).on('error', reject);
  // An answer that asks for another protocol (101) is dropped by Node without a word. After a response it changes nothing.
  asked.on('close', () => reject(new Refusal('it closed the connection without an answer')));
  asked.end();
  const response = await promise;
  if (!statuses.includes(response.statusCode ?? 0)) {
    response.destroy();
    throw new Refusal(`it answered with status ${response.statusCode}`);
  }
  return readAll(response, maxBytes);
}

async function readAll(response: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw new Refusal(`its answer is larger than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

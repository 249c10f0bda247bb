import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';

/** What an appliance says of itself on `/healthz` and `/readyz`. */
interface Check {
  readonly ok: boolean;
  readonly reason: string;
}

/** Where the own appliance may answer, and what it is asked. */
export interface HealthQuestion {
  /** Asked at the same time: an appliance listens on one address, and who asks need not know on which. */
  readonly addresses: readonly string[];
  readonly port: number;
  readonly path: '/healthz' | '/readyz';
  /** For question and answer. */
  readonly limitMs: number;
}

/** The first answer of an appliance; null where none came, with what came instead at each address. */
export interface HealthAnswer {
  readonly check: Check | null;
  readonly silence: readonly string[];
}

/** What an appliance says takes less than this; somebody else on the port may say more. */
const MOST_BYTES = 16 * 1024;

/** Asks an appliance on this machine how it is. Never rejects: silence is an answer. */
export async function askHealth(question: HealthQuestion): Promise<HealthAnswer> {
  const enough = new AbortController();
  const signal = AbortSignal.any([enough.signal, AbortSignal.timeout(question.limitMs)]);
  const asked = question.addresses.map((address) => ask(address, question, signal));
  try {
    return { check: await Promise.any(asked), silence: [] };
  } catch (error) {
    const errors: readonly unknown[] = error instanceof AggregateError ? error.errors : [error];
    const silence = question.addresses.map((address, index) => `${address}: ${why(errors[index], question)}`);
    return { check: null, silence };
  } finally {
    enough.abort();
  }
}

/** Rejects where what answers, if anything does, is no appliance. */
async function ask(address: string, { port, path }: HealthQuestion, signal: AbortSignal): Promise<Check> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const sent = request({ host: address, port, path, agent: false, signal });
  sent.on('response', resolve).on('error', reject);
  // An answer that asks for another protocol (101) is dropped by Node without a word.
  sent.on('close', () => reject(new Error('closed the connection without an answer')));
  sent.end();
  const response = await promise;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MOST_BYTES) throw new Error(`answers more than ${MOST_BYTES} bytes: no appliance`);
    chunks.push(chunk);
  }
  const check = parseCheck(Buffer.concat(chunks).toString('utf8'));
  if (check === null) throw new Error(`answers ${response.statusCode} and is no appliance`);
  return check;
}

function parseCheck(text: string): Check | null {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || !('ok' in value) || !('reason' in value)) return null;
    const { ok, reason } = value;
    return typeof ok === 'boolean' && typeof reason === 'string' ? { ok, reason } : null;
  } catch {
    return null;
  }
}

function why(error: unknown, { limitMs }: HealthQuestion): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'AbortError' || error.name === 'TimeoutError') return `no answer in ${limitMs / 1000} s`;
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}

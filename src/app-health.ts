import { parseAnswer, readBoolean, readText } from './http/answer-fields.ts';
import type { Check } from './http/face.ts';
import { get, Refusal } from './http/get.ts';

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

/** Well, and not well. */
const STATUSES = [200, 503] as const;

/**
 * Asks an appliance on this machine how it is. Never rejects: silence is an answer. Little is loaded for it: it is a health
 * check, and made again and again.
 */
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
  const text = await get({ address, port, path, maxBytes: MOST_BYTES }, STATUSES, signal);
  const check = parseAnswer(text, (fields, problems): Check => ({
    ok: readBoolean(fields['ok'], 'ok', problems),
    reason: readText(fields['reason'], 'reason', problems),
  }));
  if (!check.known) throw new Refusal(check.reason);
  return check.value;
}

function why(error: unknown, { limitMs }: HealthQuestion): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof Refusal) return `${error.message}: it is no appliance`;
  if (error.name === 'AbortError' || error.name === 'TimeoutError') return `no answer in ${limitMs / 1000} s`;
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}

import type { BirthAnswer } from '../core/birth.ts';
import { unknown } from '../core/known.ts';
import type { Known, Unknown } from '../core/known.ts';
import type { UpgradeAnswer } from '../core/upgrade.ts';
import { parseBirthAnswer } from './birth-answer.ts';
import { get, Refusal } from './get.ts';
import type { Question } from './get.ts';
import { parseUpgradeAnswer } from './upgrade-answer.ts';

/** What a client of the other appliances needs. */
export interface PeersOptions {
  /** The port on which all appliances of the cluster show their face. */
  readonly port: number;
  /** For the whole question and answer. */
  readonly limitMs?: number;
  /** An answer above this is no answer. */
  readonly maxBytes?: number;
}

/** Asks other appliances; the daemon's PeersPort. */
export interface Peers {
  askBirth(
    address: string,
    hint: { readonly epoch: number; readonly from: string },
    signal: AbortSignal,
  ): Promise<Known<BirthAnswer>>;
  askUpgrade(
    address: string,
    hint: { readonly from: string; readonly fresh: boolean },
    signal: AbortSignal,
  ): Promise<Known<UpgradeAnswer>>;
}

/** An appliance reads its etcd's log before it answers what an upgrade asks. */
const INSPECTION_MS = 10_000;

interface TimedQuestion extends Question {
  readonly limitMs: number;
}

/** Creates a client of the other appliances' faces. Silence, refusal and garbage are unknown, with the reason. */
export function createPeers(options: PeersOptions): Peers {
  const { port, limitMs = 2000, maxBytes = 64 * 1024 } = options;
  return {
    async askBirth(address, hint, signal) {
      const query = new URLSearchParams({ epoch: String(hint.epoch), from: hint.from });
      const text = await ask(
        { address, port, limitMs, maxBytes, path: `/birth?${query.toString()}` },
        signal,
      );
      return text.known ? parseBirthAnswer(text.value) : text;
    },
    async askUpgrade(address, hint, signal) {
      const query = new URLSearchParams({ from: hint.from, ...(hint.fresh ? { fresh: '1' } : {}) });
      const path = `/upgrade?${query.toString()}`;
      const text = await ask(
        { address, port, limitMs: Math.max(limitMs, INSPECTION_MS), maxBytes, path },
        signal,
      );
      return text.known ? parseUpgradeAnswer(text.value) : text;
    },
  };
}

/** One GET; known only for a whole answer with status 200. Rejects only when `signal` is aborted, with its reason. */
async function ask(question: TimedQuestion, signal: AbortSignal): Promise<Known<string>> {
  signal.throwIfAborted();
  const limit = AbortSignal.timeout(question.limitMs);
  try {
    return { known: true, value: await get(question, [200], AbortSignal.any([signal, limit])) };
  } catch (error) {
    signal.throwIfAborted();
    return explain(error, question, limit.aborted);
  }
}

/** A refused connection (nothing runs there) and silence (a security group, a frozen machine) want different cures. */
function explain(error: unknown, { address, port, limitMs }: TimedQuestion, timedOut: boolean): Unknown {
  const at = `${address} port ${port}`;
  if (timedOut)
    return unknown(
      `${at} gave no answer within ${limitMs / 1000} s; is the port open between the instances?`,
    );
  if (error instanceof Refusal) return unknown(`${at}: ${error.message}`);
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  if (code === 'ECONNREFUSED') return unknown(`${at} refuses the connection; no appliance runs there (yet)`);
  if (code === 'EHOSTUNREACH' || code === 'ENETUNREACH') return unknown(`${at} cannot be reached (${code})`);
  return unknown(`${at} broke off (${code})`);
}

import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { BirthAnswer } from '../core/birth.ts';
import { unknown } from '../core/known.ts';
import type { Known, Unknown } from '../core/known.ts';
import type { UpgradeAnswer } from '../core/upgrade.ts';
import { parseBirthAnswer } from './birth-answer.ts';
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

interface Question extends Required<PeersOptions> {
  readonly address: string;
  readonly path: string;
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
async function ask(question: Question, signal: AbortSignal): Promise<Known<string>> {
  signal.throwIfAborted();
  const limit = AbortSignal.timeout(question.limitMs);
  try {
    return { known: true, value: await get(question, AbortSignal.any([signal, limit])) };
  } catch (error) {
    signal.throwIfAborted();
    return explain(error, question, limit.aborted);
  }
}

class Refusal extends Error {}

async function get(question: Question, signal: AbortSignal): Promise<string> {
  const { address, port, path } = question;
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
  if (response.statusCode !== 200) {
    response.destroy();
    throw new Refusal(`it answered with status ${response.statusCode}`);
  }
  return readAll(response, question.maxBytes);
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

/** A refused connection (nothing runs there) and silence (a security group, a frozen machine) want different cures. */
function explain(error: unknown, { address, port, limitMs }: Question, timedOut: boolean): Unknown {
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

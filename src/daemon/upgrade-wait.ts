import type { Known } from '../core/known.ts';
import type { Held } from './upgrade-acts.ts';

/** etcd takes 2 to 8 s for what is waited for. */
const LIMIT_MS = 30_000;
const LOOK_MS = 250;

/**
 * An etcd that ended by itself is back within this time, and what is hung for longer may stay so. Nobody is evicted while the
 * upgrade lock is held, so who waits longer keeps a dead member where it is.
 */
const SILENT_MS = 5_000;

/** What one look at those that are waited for came to; `silent`: one of them does not tell, as a clause. */
export type Seen = { readonly kind: 'so' } | { readonly kind: 'not-yet' } | Silent;

/** What became of a wait; `late`: all told all along, and it was not so in time. Of who was silent nothing is known. */
export type Waited = { readonly kind: 'so' } | { readonly kind: 'late' } | Silent;

interface Silent {
  readonly kind: 'silent';
  readonly why: string;
}

/** Looks until it is so, or late, or somebody is silent in look after look. One lost answer is no silence. */
export async function waitUntil({ context, signal }: Held, look: () => Promise<Seen>): Promise<Waited> {
  const { clock } = context.ports;
  const until = clock.now() + LIMIT_MS;
  let silentSince: number | null = null;
  let silent: Silent | null = null;
  for (;;) {
    const asked = clock.now();
    const seen = await look();
    if (seen.kind === 'so') return seen;
    const now = clock.now();
    if (seen.kind === 'silent') {
      if (silentSince !== null && now - silentSince >= SILENT_MS) return seen;
      silentSince ??= asked;
      silent = seen;
    } else silentSince = null;
    if (now >= until) return silent ?? { kind: 'late' };
    await clock.sleep(LOOK_MS, signal);
  }
}

/** One look, of each one's word on whether it is so; `what` they were asked fits behind "does not say". */
export function lookOf(
  told: readonly { readonly name: string; readonly isSo: Known<boolean> }[],
  what: string,
): Seen {
  let kind: 'so' | 'not-yet' = 'so';
  for (const { name, isSo } of told) {
    if (!isSo.known) return { kind: 'silent', why: `${name} does not say ${what}: ${isSo.reason}` };
    if (!isSo.value) kind = 'not-yet';
  }
  return { kind };
}

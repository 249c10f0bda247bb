import { unknown } from '../../../src/core/known.ts';
import type { Known } from '../../../src/core/known.ts';
import { beforeDeadline } from '../../fakes/deadline.ts';
import type { Network, Place, Traffic } from '../../fakes/network.ts';
import type { VirtualClock } from '../../fakes/virtual-clock.ts';

/** How the calls of a port go over the network. */
export interface Link {
  readonly network: Network;
  readonly clock: VirtualClock;
  readonly from: Place;
  readonly traffic: Traffic;
  /** Where a call goes. */
  to(args: readonly unknown[]): Place;
  /** After so long without an answer the caller gives up; ms. */
  readonly deadlineMs: number;
  /** What the caller has then. */
  lost(method: string, reason: string): unknown;
}

/**
 * The port behind the network: a call whose way there is cut is never made; one whose way back is cut is made, and its
 * answer lost; one that is late past the deadline is lost and made all the same.
 */
export function overNetwork<T extends object>(port: T, link: Link): T {
  const { network } = link;
  const entries = Object.entries(port).map(([method, value]: [string, unknown]) => [
    method,
    typeof value === 'function'
      ? (...args: readonly unknown[]): Promise<unknown> => {
          if (network.isWhole()) return Reflect.apply(value, port, args) as Promise<unknown>;
          const act = async (): Promise<unknown> => (await Reflect.apply(value, port, args)) as unknown;
          return send(link, method, args, act);
        }
      : value,
  ]);
  return Object.fromEntries(entries) as T;
}

async function send(
  link: Link,
  method: string,
  args: readonly unknown[],
  act: () => Promise<unknown>,
): Promise<unknown> {
  const { network, clock, from, traffic, deadlineMs } = link;
  const signal = args.at(-1) as AbortSignal;
  const to = link.to(args);
  const pass = async (ms: number): Promise<void> =>
    await new Promise((resolve) => {
      clock.after(ms, resolve);
    });
  const travel = async (): Promise<unknown> => {
    const thereMs = network.delayMs(from, to, traffic);
    if (!network.passes(from, to, traffic)) return await new Promise<never>(() => undefined);
    if (thereMs > 0) await pass(thereMs);
    const answer = await act();
    const backMs = network.delayMs(to, from, traffic);
    if (!network.passes(to, from, traffic)) return await new Promise<never>(() => undefined);
    if (backMs > 0) await pass(backMs);
    return answer;
  };
  signal.throwIfAborted();
  const late = (): unknown => link.lost(method, `no answer in ${deadlineMs} ms`);
  return await beforeDeadline(travel(), { clock, limitMs: deadlineMs, late }, signal);
}

/** A lost answer of AWS, by the port's method. */
export function lostByAws(method: string, reason: string): unknown {
  const changes = ['change', 'open', 'close'];
  return changes.includes(method) ? { kind: 'unknown', message: reason } : unknown(reason);
}

/** A lost answer of a port whose answers may be unknown. */
export function lostQuestion(_method: string, reason: string): Known<never> {
  return unknown(reason);
}

/** An endpoint that is cut is silent to a probe. */
export function lostProbe(_method: string, reason: string): unknown {
  return { kind: 'silent', reason };
}

/** A lost answer of etcd, by the port's method. */
export function lostByEtcd(method: string, reason: string): unknown {
  const changes = ['addLearner', 'removeMember', 'promote', 'moveLeader', 'downgrade'];
  return changes.includes(method) ? { ok: false, code: 'no-answer', message: reason } : unknown(reason);
}

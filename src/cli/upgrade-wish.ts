import { isIP } from 'node:net';
import type { UpgradeRecord } from '../core/upgrade.ts';
import { isVersion } from '../core/upgrade-record.ts';
import { ApplianceError } from '../errors.ts';

/** The options of `upgrade` as the command line has them. */
export interface UpgradeOptions {
  readonly config?: string;
  readonly endpoint?: string;
  readonly to?: string;
  readonly dryRun?: true;
  readonly pause?: true;
  readonly resume?: true;
  readonly abort?: true;
  readonly refresh?: true;
  readonly json?: true;
  /** False with `--no-follow`. */
  readonly follow: boolean;
}

/** What an operator wants. */
export interface Wish {
  /** A version or a minor; null: no order. */
  readonly to: string | null;
  readonly pause: boolean;
  readonly resume: boolean;
  readonly abort: boolean;
  readonly refresh: boolean;
  readonly dryRun: boolean;
  readonly json: boolean;
  readonly follow: boolean;
}

/** Reads the options, checked against each other. Throws `usage`. */
export function readWish(options: UpgradeOptions): Wish {
  const wish: Wish = {
    to: options.to === undefined ? null : readTarget(options.to),
    pause: options.pause === true,
    resume: options.resume === true,
    abort: options.abort === true,
    refresh: options.refresh === true,
    dryRun: options.dryRun === true,
    json: options.json === true,
    // What only stops something is done when it is written.
    follow: options.follow && options.dryRun !== true && options.pause !== true && options.abort !== true,
  };
  const exclusive: readonly (readonly [string, boolean, string, boolean])[] = [
    ['--pause', wish.pause, '--resume', wish.resume],
    ['--to', wish.to !== null, '--abort', wish.abort],
    ['--resume', wish.resume, '--abort', wish.abort],
    ['--refresh', wish.refresh, '--pause', wish.pause],
    ['--refresh', wish.refresh, '--abort', wish.abort],
    ['--refresh', wish.refresh, '--no-follow', !options.follow],
  ];
  for (const [one, hasOne, other, hasOther] of exclusive)
    if (hasOne && hasOther) throw usage(`${one} and ${other} contradict each other: give one of them`);
  return wish;
}

function readTarget(text: string): string {
  const version = text.replace(/^v/, '');
  if (isVersion(version)) return version;
  throw usage(
    `--to ${JSON.stringify(text)} is no version of etcd; allowed is a minor, as 3.6, or a version, as 3.6.16`,
  );
}

/** The address of a member, out of an address or a URL of it. Throws `usage`. */
export function readEndpoint(text: string): string {
  const host = /^https?:\/\//.test(text) ? (/^https?:\/\/(\[[^\]]+\]|[^:/]+)/.exec(text)?.[1] ?? '') : text;
  const bare = host.replace(/^\[(.*)\]$/, '$1').replace(/^([^:]+):\d+$/, '$1');
  if (isIP(bare) !== 0) return bare;
  if (/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i.test(bare)) return bare;
  throw usage(
    `--endpoint ${JSON.stringify(text)} is no address; allowed is the address or host name of a member`,
  );
}

function usage(message: string): ApplianceError {
  return new ApplianceError({ code: 'usage' }, message);
}

/** One put of one of the operator's keys. */
export type Order =
  | { readonly part: 'to'; readonly value: string | null; readonly sentence: string }
  | { readonly part: 'paused'; readonly value: UpgradeRecord['paused']; readonly sentence: string }
  | { readonly part: 'failed'; readonly value: null; readonly sentence: string };

/**
 * What has to be written so that the record says what is wished, in the order in which it is safe to be written: what stops
 * comes first, what lets go comes last, so that a caller that dies in between has stopped more than it meant and never less.
 * Only what was seen is cleared. What stands already is not written again: two operators with one wish write it once.
 */
export function ordersOf(wish: Wish, record: UpgradeRecord, at: string): readonly Order[] {
  const orders: Order[] = [];
  if (wish.pause && record.paused === null)
    orders.push({ part: 'paused', value: { at }, sentence: 'no further step begins until --resume' });
  const ordered = wish.to !== null && wish.to !== record.to;
  if (ordered)
    orders.push({ part: 'to', value: wish.to, sentence: `all members are to run etcd ${wish.to}` });
  if (wish.abort && record.to !== null)
    orders.push({
      part: 'to',
      value: null,
      sentence: `the order to go to ${record.to} is taken back, and ETCD_VERSION of each instance counts again`,
    });
  if ((wish.resume || ordered) && record.failed !== null)
    orders.push({
      part: 'failed',
      value: null,
      sentence: `the failed step of ${record.failed.by} to ${record.failed.to} may be tried again`,
    });
  if (wish.resume && record.paused !== null)
    orders.push({ part: 'paused', value: null, sentence: `the pause since ${record.paused.at} ends` });
  return orders;
}

/** The record as it is once the orders are written. */
export function withOrders(record: UpgradeRecord, orders: readonly Order[]): UpgradeRecord {
  return orders.reduce((before, { part, value }) => ({ ...before, [part]: value }), record);
}

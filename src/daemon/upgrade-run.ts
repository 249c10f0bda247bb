import { CLAIM_READ_INTERVAL_MS, UPGRADE_SETTLE_MS } from '../core/numbers.ts';
import { UPGRADE_LOCK_KEY } from '../core/upgrade-record.ts';
import { stepLimitMs, whyNotUp } from '../core/upgrade-step.ts';
import { clientUrl } from '../core/urls.ts';
import type { Context } from './context.ts';
import { orLate } from './or-late.ts';
import { isStranger } from './own-cluster.ts';
import type { RunningEtcd } from './ports.ts';
import type { Instead, RunAs, Swap } from './swap-etcd.ts';
import { swapEtcd } from './swap-etcd.ts';
import type { Held } from './upgrade-acts.ts';
import { endpointsOf, whyNotServing } from './upgrade-acts.ts';

/** While a member comes up, it is asked this often: a step takes seconds, and others wait for it. */
const LOOK_MS = 100;

/** A disk that does not tell the size of a file for this long hangs. */
const DISK_LIMIT_MS = 2_000;

/** A lock that was lost is asked for again this often. */
export const REGAIN_MS = 2_000;

/** What became of a binary that was started; `tooOld`: etcd refused to run it on data, or in a cluster, of a newer one. */
export type Came =
  | { readonly kind: 'well' }
  | { readonly kind: 'failed'; readonly why: string; readonly tooOld: boolean }
  | { readonly kind: 'left' };

/** Stops etcd, has it started as `how` says, or as is said once it has ended, and waits until it is well. `left`: it does not end, or the instance leaves. */
export async function runAs(held: Held, how: RunAs, instead: Instead | null = null): Promise<Came> {
  const swap = await swapEtcd(held.context, how, held.signal, instead);
  return swap === null ? { kind: 'left' } : await comeUp(held, swap);
}

/**
 * Waits until the member is a voter that is close to the leader, and has been so for the settle time, on that version; or
 * until it is told not to come up and something else may be run instead. The swap is over then.
 */
export async function comeUp(held: Held, swap: Swap): Promise<Came> {
  const { state, ports } = held.context;
  const { clock } = ports;
  const began = clock.now();
  let wellSince: number | null = null;
  try {
    const limitMs = await limitOf(held);
    let busyAt: number | null = null;
    for (;;) {
      if (isLeaving(held.context) || isOther(held.context, swap)) return { kind: 'left' };
      // What is asked now may come to be of an etcd that has ended since.
      const asked = clock.now();
      if (isBusy(state.etcd)) busyAt = asked;
      const unwell = await whyUnwell(held, swap.version);
      const now = clock.now();
      wellSince = unwell === null ? (wellSince ?? now) : null;
      if (wellSince !== null && now - wellSince >= UPGRADE_SETTLE_MS) return { kind: 'well' };
      const busyMsAgo = busyAt === null ? null : asked - busyAt;
      const why = whyNotUp({ ...swap, unwell, tookMs: asked - began, limitMs, busyMsAgo });
      if (why !== null && (await mayRunAnother(held))) return { kind: 'failed', why, tooOld: swap.tooOld };
      await clock.sleep(why === null ? LOOK_MS : REGAIN_MS, held.signal);
    }
  } finally {
    if (state.swap === swap) state.swap = null;
  }
}

function isBusy(etcd: RunningEtcd | null): boolean {
  return etcd?.restores() === true || etcd?.defragments() === true;
}

/** How long the step may take; ms. Where no member has told the size of its database, the own disk does. */
async function limitOf({ context, members, signal }: Held): Promise<number> {
  const told = members.flatMap((it) => (it.status.known ? [it.status.value.dbSizeBytes] : []));
  if (told.length > 0) return stepLimitMs(told);
  const { clock, inspect } = context.ports;
  const own = await orLate(
    clock,
    DISK_LIMIT_MS,
    null,
    async (within) => inspect.databaseBytes(within),
    signal,
  );
  return stepLimitMs(own?.known === true ? [own.value] : []);
}

/**
 * Whether another etcd may be run now: under the lock, regained if it was lost. Without it only where nobody answers who
 * could grant it, and the own etcd says nothing to anybody, so that it is no part of any quorum: members of one or two have
 * no quorum without it, and nobody else steps while they have none.
 */
async function mayRunAnother(held: Held): Promise<boolean> {
  const { context, lock, members, signal } = held;
  if ((await lock.guard(signal)) || (await lock.take(signal))) return true;
  const { admin, probe, self } = context.ports;
  // Unknown is not nobody.
  const isClaimKnown = async (): Promise<boolean> =>
    (await context.register.read(CLAIM_READ_INTERVAL_MS, signal)).known;
  if (members.length === 0 && !(await isClaimKnown())) return false;
  for (const endpoint of endpointsOf(context, members)) {
    const answer = await admin.read(endpoint, UPGRADE_LOCK_KEY, { serializable: false }, signal);
    if (answer.known && !(await isStranger(context, endpoint, signal))) return false;
  }
  return context.state.etcd === null || (await probe.probe(self.address, signal)).kind === 'silent';
}

/** Another member's data are here by now: they were set aside meanwhile, and this one's step with them. */
export function isOther({ state }: Context, { memberId }: Pick<Swap, 'memberId'>): boolean {
  return memberId !== null && state.identity !== null && state.identity.memberId !== memberId;
}

async function whyUnwell(held: Held, version: string): Promise<string | null> {
  const { admin, self } = held.context.ports;
  const status = await admin.status(clientUrl(self.address), held.signal);
  if (!status.known) return status.reason;
  const runs = status.value.version;
  return runs === version ? await whyNotServing(held, status.value) : `etcd ${runs} answers`;
}

/**
 * A step that outlived its lock does nothing more under it: it takes it anew, however long that takes. Nobody else steps
 * while this member is not well. False: the instance leaves.
 */
export async function regain({ context, lock, signal }: Held): Promise<boolean> {
  while (!(await lock.guard(signal))) {
    if (isLeaving(context)) return false;
    if (await lock.take(signal)) return true;
    await context.ports.clock.sleep(REGAIN_MS, signal);
  }
  return true;
}

/** Whether the instance goes, or its appliance ends: nothing more is begun. */
export function isLeaving({ state }: Context): boolean {
  return state.phase === 'leaving' || state.phase === 'stopped';
}

/** The step is over: the data say nothing of it any more. Before etcd is started, nothing but the disk has what they say. */
export async function forgetStep({ ports, state }: Context, signal: AbortSignal): Promise<void> {
  const identity = state.identity ?? (await ports.data.read(signal)).identity;
  if (identity?.step == null) return;
  const over = { ...identity, step: null };
  await ports.data.writeIdentity(over, signal);
  if (state.identity !== null) state.identity = over;
}

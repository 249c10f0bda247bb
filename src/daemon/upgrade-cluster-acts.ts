import type { Known } from '../core/known.ts';
import { known } from '../core/known.ts';
import { reason } from '../core/reason.ts';
import { minorAbove, minorOf } from '../core/versions.ts';
import { clientUrl } from '../core/urls.ts';
import type { MemberLook } from './state.ts';
import type { Held, UpgradeActionOf } from './upgrade-acts.ts';
import { LOCK_LOST, NOT_RECORDED, recordFailure, stepNow, writePart } from './upgrade-acts.ts';
import { lookOf, type Seen, waitUntil, type Waited } from './upgrade-wait.ts';
import { askWord } from './upgrade-word.ts';

/**
 * Has every member take a snapshot of its log without a restart: etcd takes one as its own downgrade is enabled, and goes on
 * as it was when that is cancelled. That takes some 6 s, and for about 4 of them nobody can join. Gives why it was given up,
 * as a clause; null: it was not, and whether it failed is recorded.
 */
export async function bringSnapshot(
  held: Held,
  { from, to }: UpgradeActionOf<'bring-snapshot'>,
): Promise<string | null> {
  const { context } = held;
  const below = minorAbove(from, -1);
  return await recorded(held, from, to, below, async () => {
    const taken = await waitUntil(held, snapshotLook(held));
    const cancelled = await cancelDowngrade(held);
    const why = await whyGivenUp(
      held,
      { from, to },
      taken,
      'not every member took a snapshot of its log in time',
    );
    if (taken.kind === 'so' && cancelled)
      context.chronicle.event(
        'upgrade',
        reason('upgrade-snapshots', 'every member has taken a snapshot of its log'),
      );
    return why;
  });
}

/**
 * Tells etcd to go down a minor, and waits until every member's data say that they can. Gives why it was given up, as a
 * clause; null: it was not, and whether it failed is recorded. Where a member is silent, the downgrade stays under way: who
 * plans next goes on with it once that one answers, or cancels it, so that its successor can join.
 */
export async function enableDowngrade(
  held: Held,
  { from, to, reason: why }: UpgradeActionOf<'enable-downgrade'>,
): Promise<string | null> {
  const minor = minorOf(to);
  return await recorded(held, from, to, minor, async () => {
    const ready = await waitUntil(held, async () => await storageLook(held, minor));
    if (ready.kind === 'so') held.context.chronicle.event('upgrade', why);
    return await whyGivenUp(held, { from, to }, ready, `the data are not etcd ${minor}'s in time`);
  });
}

/** Ends a downgrade that nobody wants. */
export async function endDowngrade(held: Held, action: UpgradeActionOf<'cancel-downgrade'>): Promise<void> {
  if (await cancelDowngrade(held)) held.context.chronicle.event('upgrade', action.reason);
}

/**
 * Has etcd go down to `below`, and works on from there, all of it recorded as this step. Gives why etcd was not told to, or
 * what that work gives.
 */
async function recorded(
  held: Held,
  from: string,
  to: string,
  below: string,
  work: () => Promise<string | null>,
): Promise<string | null> {
  if (!(await writePart(held, 'step', stepNow(held.context, from, to)))) return NOT_RECORDED;
  const why = (await startDowngrade(held, below)) ?? (await work());
  await writePart(held, 'step', null);
  return why;
}

/**
 * Why a turn is given up after its wait, as a clause. Null: it is not: all is as it should be, or members that told all along
 * say that it is not, and `failure` is recorded, which stops the upgrade.
 */
async function whyGivenUp(
  held: Held,
  { from, to }: Pick<UpgradeActionOf<'enable-downgrade'>, 'from' | 'to'>,
  waited: Waited,
  failure: string,
): Promise<string | null> {
  if (waited.kind === 'so') return null;
  if (waited.kind === 'silent') return waited.why;
  if (!(await held.lock.guard(held.signal))) return LOCK_LOST;
  await recordFailure(held, from, to, failure);
  return null;
}

/** Null: etcd goes down to that minor; else why it was not told to, as a clause. */
async function startDowngrade(held: Held, to: string): Promise<string | null> {
  const { signal } = held;
  const { admin, self } = held.context.ports;
  const own = clientUrl(self.address);
  const versions = await admin.versions(own, signal);
  const target = versions.known ? versions.value.downgradeTarget : null;
  if (target !== null) return minorOf(target) === to ? null : `etcd goes down to ${target} already`;
  const valid = await admin.downgrade(own, 'validate', to, signal);
  if (!(await held.lock.guard(signal))) return LOCK_LOST;
  if (!valid.ok) return `etcd does not go down to ${to}: ${valid.message}`;
  // Last of all: who is added after this look finds the downgrade when it asks once more before its start.
  const others = await whyMembersAreOthers(held);
  if (others !== null) return others;
  if (!held.lock.isTimely()) return LOCK_LOST;
  const enabled = await admin.downgrade(own, 'enable', to, signal);
  return enabled.ok ? null : `etcd does not go down to ${to}: ${enabled.message}`;
}

/**
 * Who joins asks whether a downgrade is under way, and then is added: whoever was added since this was planned starts its
 * etcd beside a downgrade, and that etcd ends at once. Null: nobody was; else who, or why that is not known, as a clause.
 */
async function whyMembersAreOthers({ context, members, signal }: Held): Promise<string | null> {
  const { admin, self } = context.ports;
  const list = await admin.memberList(clientUrl(self.address), { linearizable: true }, signal);
  if (!list.known) return `the members are unknown: ${list.reason}`;
  const planned = new Set(members.map((it) => it.id));
  const joined = list.value.members.find((it) => !planned.has(it.id));
  return joined === undefined ? null : `member ${joined.id} has joined meanwhile`;
}

/** False, too, where the lock is lost: the downgrade is another's by now, or is cancelled as one that nobody works at. */
async function cancelDowngrade(held: Held): Promise<boolean> {
  const { context, signal } = held;
  if (!(await held.lock.guard(signal))) return false;
  const { admin, self } = context.ports;
  const own = clientUrl(self.address);
  const outcome = await admin.downgrade(own, 'cancel', '', signal);
  if (!outcome.ok) context.chronicle.trouble('upgrade', reason(outcome.code, outcome.message));
  const over = await waitUntil(held, async () => {
    const versions = await admin.versions(own, signal);
    const isSo = versions.known ? known(versions.value.downgradeTarget === null) : versions;
    return lookOf([{ name: self.id, isSo }], 'whether etcd goes down still');
  });
  return over.kind === 'so';
}

/** Whether every member's log is such as the next minor can read, look by look. */
function snapshotLook({ context, members, signal }: Held): () => Promise<Seen> {
  /** Who reads its log for longer than is waited for an answer: asked to look anew, it would never come to one. */
  const reading = new Set<string>();
  const ask = async ({ address, name }: MemberLook): Promise<{ name: string; isSo: Known<boolean> }> => {
    const answer = await askWord(context, address, !reading.has(address), signal);
    reading.delete(address);
    if (!answer.known) reading.add(address);
    const replay = answer.known ? answer.value.replay : answer;
    return { name, isSo: replay.known ? known(replay.value.lastV2Index === null) : replay };
  };
  return async () => lookOf(await Promise.all(members.map(ask)), 'what its log holds');
}

/** Whether the cluster's version, and every voter's data, are of that minor. */
async function storageLook({ context, members, signal }: Held, minor: string): Promise<Seen> {
  const ask = async ({ address, name }: MemberLook): Promise<{ name: string; isSo: Known<boolean> }> => {
    const told = await context.ports.admin.versions(clientUrl(address), signal);
    if (!told.known) return { name, isSo: told };
    const { cluster, storage } = told.value;
    return {
      name,
      isSo: known(minorOf(cluster) === minor && storage !== null && minorOf(storage) === minor),
    };
  };
  const voters = members.filter((it) => !it.learner);
  return lookOf(await Promise.all(voters.map(ask)), 'how far its data are');
}

import { reason } from '../core/reason.ts';
import { minorAbove, minorOf } from '../core/versions.ts';
import { clientUrl } from '../core/urls.ts';
import type { Held, UpgradeActionOf } from './upgrade-acts.ts';
import { endpointsOf, LOCK_LOST, NOT_RECORDED, recordFailure, stepNow, writePart } from './upgrade-acts.ts';
import { askWord } from './upgrade-word.ts';

/** etcd takes 2 to 8 s for each of these turns. */
const LIMIT_MS = 30_000;
const LOOK_MS = 250;

/**
 * Has every member take a snapshot of its log without a restart: etcd takes one as its own downgrade is enabled, and goes on
 * as it was when that is cancelled. That takes some 6 s, and for about 4 of them nobody can join. Gives why it was not begun;
 * null: it was.
 */
export async function bringSnapshot(
  held: Held,
  { from, to }: UpgradeActionOf<'bring-snapshot'>,
): Promise<string | null> {
  const { context } = held;
  const below = minorAbove(from, -1);
  return await recorded(held, from, to, below, async () => {
    const taken = await until(held, async () => await haveSnapshots(held));
    const cancelled = await cancelDowngrade(held);
    if (taken && cancelled)
      context.chronicle.event(
        'upgrade',
        reason('upgrade-snapshots', 'every member has taken a snapshot of its log'),
      );
    else if (held.lock.holds())
      await recordFailure(held, from, to, 'not every member took a snapshot of its log in time');
  });
}

/** Tells etcd to go down a minor, and waits until every member's data say that they can. Gives why it was not begun; null: it was. */
export async function enableDowngrade(
  held: Held,
  { from, to, reason: why }: UpgradeActionOf<'enable-downgrade'>,
): Promise<string | null> {
  const minor = minorOf(to);
  return await recorded(held, from, to, minor, async () => {
    const ready = await until(held, async () => await storageIs(held, minor));
    if (ready) held.context.chronicle.event('upgrade', why);
    else await recordFailure(held, from, to, `the data are not etcd ${minor}'s in time`);
  });
}

/** Ends a downgrade that nobody wants. */
export async function endDowngrade(held: Held, action: UpgradeActionOf<'cancel-downgrade'>): Promise<void> {
  if (await cancelDowngrade(held)) held.context.chronicle.event('upgrade', action.reason);
}

/** Has etcd go down to `below`, and works on from there, all of it recorded as this step. Gives why etcd was not told to; null: it was. */
async function recorded(
  held: Held,
  from: string,
  to: string,
  below: string,
  work: () => Promise<void>,
): Promise<string | null> {
  if (!(await writePart(held, 'step', stepNow(held.context, from, to)))) return NOT_RECORDED;
  const why = await startDowngrade(held, below);
  if (why === null) await work();
  await writePart(held, 'step', null);
  return why;
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
  return await until(held, async () => {
    const versions = await admin.versions(own, signal);
    return versions.known && versions.value.downgradeTarget === null;
  });
}

async function haveSnapshots({ context, members, signal }: Held): Promise<boolean> {
  const answers = await Promise.all(
    members.map(async ({ address }) => await askWord(context, address, true, signal)),
  );
  return answers.every(
    (it) => it.known && it.value.replay.known && it.value.replay.value.lastV2Index === null,
  );
}

async function storageIs({ context, members, signal }: Held, minor: string): Promise<boolean> {
  const told = await Promise.all(
    endpointsOf(context, members).map((it) => context.ports.admin.versions(it, signal)),
  );
  return told.every(
    (it) =>
      it.known &&
      minorOf(it.value.cluster) === minor &&
      it.value.storage !== null &&
      minorOf(it.value.storage) === minor,
  );
}

/** Whether it came true in time. */
async function until({ context, signal }: Held, holds: () => Promise<boolean>): Promise<boolean> {
  const { clock } = context.ports;
  const end = clock.now() + LIMIT_MS;
  for (;;) {
    if (await holds()) return true;
    if (clock.now() >= end) return false;
    await clock.sleep(LOOK_MS, signal);
  }
}

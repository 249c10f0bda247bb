import { expect } from 'vitest';
import type { LogReplay } from '../../src/core/inspection.ts';
import type { MemberVersions } from '../../src/core/members.ts';
import type { EtcdAdmin } from '../../src/etcd/admin.ts';
import { createInspection, type Inspection } from '../../src/etcd/inspect.ts';
import type { RunningEtcd } from '../../src/etcd/process.ts';
import { calm, endOf, labCluster, type LabMember, labMember, must, untilServing } from '../etcd-lab.ts';
import { ETCD_DIRECTORY, eventually } from '../tools.ts';

const SILENT = { debug: silent, info: silent, warn: silent, error: silent };

function silent(): void {
  // Nobody reads it.
}

/** A member, what runs on its data now, and what its appliance would know of them. */
export interface Slot {
  readonly member: LabMember;
  readonly inspection: Inspection;
  running: RunningEtcd;
}

/** A cluster whose members change their version. */
export interface Lab {
  readonly admin: EtcdAdmin;
  readonly slots: readonly Slot[];
}

/** A cluster born on a minor, serving. It ends with the stack. */
export async function bornOn(minor: string, size: number, stack: AsyncDisposableStack): Promise<Lab> {
  const { admin, members, running } = await labCluster(minor, size, stack);
  const slots = members.flatMap((member, index): Slot[] => {
    const its = running[index];
    return its === undefined ? [] : [{ member, inspection: inspectionOf(member), running: its }];
  });
  return { admin, slots };
}

/** What is told of the data of a member. */
export function inspectionOf(member: LabMember): Inspection {
  return createInspection(
    { etcdDirectory: ETCD_DIRECTORY, dataDirectory: member.directory },
    { log: SILENT },
  );
}

/** The first member of a lab. */
export function first(lab: Lab): Slot {
  const [slot] = lab.slots;
  if (slot === undefined) throw new Error('the lab has no member');
  return slot;
}

/** Ends the etcd of a member in order, and starts another minor on its data. */
export async function swap(slot: Slot, minor: string, snapshotCount?: number): Promise<RunningEtcd> {
  await slot.running.stop(10_000);
  slot.running = await slot.member.startAs(minor, snapshotCount);
  return slot.running;
}

/** The same, and it serves all of the keys that were written. */
export async function swapWhole(lab: Lab, slot: Slot, minor: string, keys: number): Promise<void> {
  await swap(slot, minor);
  await untilServing(lab.admin, slot.member);
  const has = await keysAt(lab, slot);
  if (has !== keys) throw new Error(`${slot.member.name} on ${minor} has ${has} keys of ${keys}`);
}

/** An etcd ends by itself, and its last words have these in them; none of them is about damaged data. */
export async function dies(running: RunningEtcd, code: number, words: string): Promise<void> {
  const exit = await endOf(running);
  expect(exit).toMatchObject({ code, saysDamaged: null });
  expect(exit.lastWords).toContain(words);
}

/** One member after the other, each serving before the next; then the cluster runs at that minor. */
export async function roll(lab: Lab, minor: string, snapshotCount?: number): Promise<void> {
  for (const slot of lab.slots) {
    await swap(slot, minor, snapshotCount);
    await untilServing(lab.admin, slot.member);
  }
  await untilCluster(lab, (it) => it.cluster === `${minor}.0`);
}

/** Waits until every member says of the versions what is asked. */
export async function untilCluster(lab: Lab, says: (versions: MemberVersions) => boolean): Promise<void> {
  await eventually(async () => (await versionsOf(lab)).every(says));
}

/** What every member says of the versions. */
export async function versionsOf({ admin, slots }: Lab): Promise<readonly MemberVersions[]> {
  return await Promise.all(
    slots.map(async ({ member }) => must(await admin.versions(member.endpoint, calm))),
  );
}

/** What each member would replay at its next start. A log that is being written may have to be read twice. */
export async function replays(lab: Lab): Promise<readonly LogReplay[]> {
  return await Promise.all(lab.slots.map(replayOf));
}

/** What a member would replay at its next start. */
export async function replayOf({ inspection }: Slot): Promise<LogReplay> {
  let replay: LogReplay | null = null;
  await eventually(async () => {
    replay = must(await inspection.logReplay(calm));
    return true;
  });
  if (replay === null) throw new Error('unreachable');
  return replay;
}

/** Makes so many entries in etcd's log and changes nothing else: to list the alarms goes through the log. */
export async function makeEntries({ admin, slots }: Lab, count: number): Promise<void> {
  const endpoint = slots[0]?.member.endpoint ?? '';
  for (let made = 0; made < count; made += 1) must(await admin.alarms(endpoint, calm));
}

/** Writes keys, each until it is acknowledged. */
export async function write(lab: Lab, count: number): Promise<void> {
  const { endpoint } = first(lab).member;
  for (let key = 0; key < count; key += 1)
    await eventually(async () => (await lab.admin.put(endpoint, `key-${key}`, 'v', {}, calm)).known);
}

/** How many of the keys that were written a member answers with, linearizably. */
export async function keysAt({ admin }: Lab, { member }: Slot): Promise<number> {
  return must(await admin.readPrefix(member.endpoint, 'key-', calm)).length;
}

/** A member of another minor, added as a learner and started on nothing. */
export async function joinAs(minor: string, lab: Lab, stack: AsyncDisposableStack): Promise<Joiner> {
  const { admin } = lab;
  const { endpoint } = first(lab).member;
  const member = stack.use(await labMember(minor, `joiner-${minor}`));
  let memberId = '';
  // Within 5 s of a start, a member takes none.
  await eventually(async () => {
    const added = await admin.addLearner(endpoint, member.peerUrl, calm);
    if (added.ok) memberId = added.value.memberId;
    return added.ok;
  });
  const others = lab.slots.map((it) => ({ name: it.member.name, peerUrl: it.member.peerUrl }));
  const running = await member.join([...others, { name: member.name, peerUrl: member.peerUrl }]);
  return { member, memberId, running };
}

/** Who joins, or tries to. */
export interface Joiner {
  readonly member: LabMember;
  readonly memberId: string;
  readonly running: RunningEtcd;
}

/** Takes a joiner out again. */
export async function remove(lab: Lab, { memberId }: Joiner): Promise<void> {
  const { endpoint } = first(lab).member;
  await eventually(async () => (await lab.admin.removeMember(endpoint, memberId, calm)).ok);
}

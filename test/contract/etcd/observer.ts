import type { Known } from '../../../src/core/known.ts';
import type { MemberList } from '../../../src/core/members.ts';
import { calm } from '../../etcd-lab.ts';
import type { Machines } from './machines.ts';
import { hasMajority } from './operation.ts';

/** Far longer than it takes, for a machine that others use, too; ms. */
const SETTLE_MS = 45_000;

/** Waits for what was done to have its effect, and tells it. */
export interface Observer {
  /** Waits until the slot's etcd serves or has ended, and tells which; without a majority it can only end. */
  fate(slot: number): Promise<string>;
  /** Waits until all has settled, with the first voter leading, and tells the members and the keys. */
  look(): Promise<string>;
}

/** An observer of these machines. */
export function createObserver(machines: Machines): Observer {
  const { subject, machine, at, slotOf, standing, disturb, note, eventually } = machines;
  const { admin } = subject;
  const fate = async (slot: number): Promise<string> => {
    const ended = (): boolean => subject.exitOf(slot) !== null;
    const serves = async (): Promise<boolean> => (await admin.status(at(slot).endpoint, calm)).known;
    const limitMs = hasMajority(standing()) ? SETTLE_MS : 1_500;
    const over = await eventually(async () => ended() || (await serves()), limitMs);
    // A panic comes with the first word of the leader, and may come right after its publication.
    if (over && !ended()) await subject.pass(300);
    const exit = subject.exitOf(slot);
    if (exit === null) return over ? 'serves' : 'runs';
    machine(slot).state = 'down';
    disturb();
    return exit.saysRemoved ? 'removed' : `ended ${exit.code ?? exit.signal}`;
  };

  const look = async (): Promise<string> => {
    for (const slot of standing().live) if (subject.exitOf(slot) !== null) machine(slot).state = 'down';
    const voters = standing().voters.filter((it) => machine(it).state === 'live');
    const [first] = voters;
    if (!hasMajority(standing()) || first === undefined) return await withoutLeader();
    const asked = async (slot: number): Promise<Known<MemberList>> =>
      await admin.memberList(at(slot).endpoint, { linearizable: true }, calm);
    const answers = async (): Promise<boolean> => {
      for (const slot of voters) if (!(await asked(slot)).known) return false;
      return await learnersFollow();
    };
    if (!(await eventually(answers, SETTLE_MS))) return 'a majority runs and does not answer';
    const seen = await asked(first);
    if (seen.known) note(seen.value);
    if (!(await eventually(async () => await leads(first), SETTLE_MS)))
      return `${at(first).name} does not lead`;
    const now = await asked(first);
    if (!now.known) return `it answers no more: ${now.reason}`;
    note(now.value);
    const keys = await admin.readPrefix(at(first).endpoint, 'k/', calm);
    if (!keys.known) return `it reads no more: ${keys.reason}`;
    return `${tellMembers(now.value)}; ${keys.value.map((it) => `${it.key}=${it.value}@${it.modRevision}`).join(' ')}`;
  };
  const learnersFollow = async (): Promise<boolean> => {
    for (const slot of standing().learners) {
      if (machine(slot).state !== 'live') continue;
      const status = await admin.status(at(slot).endpoint, calm);
      if (!status.known || status.value.leader === null) return false;
    }
    return true;
  };
  /** Where nobody leads, who serves says so before long. */
  const withoutLeader = async (): Promise<string> => {
    await eventually(async () => {
      for (const slot of standing().live) {
        if (machine(slot).role !== 'voter') continue;
        const status = await admin.status(at(slot).endpoint, calm);
        if (status.known && status.value.leader !== null) return false;
      }
      return true;
    }, 8_000);
    return 'no majority';
  };
  /** The first voter leads, so that what is done to a slot means the same everywhere. */
  const leads = async (slot: number): Promise<boolean> => {
    const status = await admin.status(at(slot).endpoint, calm);
    if (!status.known || status.value.leader === null) return false;
    const { leader, memberId } = status.value;
    if (leader === memberId) return true;
    const holder = machines.all.findIndex((it) => it.memberId === leader && it.state === 'live');
    if (holder >= 0) await admin.moveLeader(at(holder).endpoint, memberId, calm);
    return false;
  };
  const tellMembers = (now: MemberList): string =>
    now.members
      .map((it) => {
        const started = it.clientUrls.length > 0 ? '' : ' unstarted';
        return `${slotOf(it.peerUrls[0]).name}${it.name === '' ? '?' : ''}${started}${it.learner ? ' learner' : ''}`;
      })
      .sort()
      .join(', ');

  return { fate, look };
}

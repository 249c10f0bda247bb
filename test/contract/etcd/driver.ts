import type { Known } from '../../../src/core/known.ts';
import type { MemberList } from '../../../src/core/members.ts';
import type { AdminOutcome, EtcdStart } from '../../../src/daemon/ports.ts';
import { describeError } from '../../../src/errors.ts';
import { refusalOf } from '../../../src/etcd/refusals.ts';
import { calm } from '../../etcd-lab.ts';
import type { Operation, Standing } from './operation.ts';
import { hasMajority } from './operation.ts';
import type { EtcdSubject, Slot } from './subject.ts';

/** Drives one subject: does what it is told, waits until that has had its effect, and tells both. */
export interface Driver {
  standing(): Standing;
  /** A cluster of the first three slots. */
  found(): Promise<string>;
  /** Does it, and tells what came of it: the class of the answer, and how things are when all has settled. */
  perform(operation: Operation): Promise<string>;
}

const FOUNDERS = 3;
const TOKEN = 'contract-token';
/** etcd changes members only by connections that are older than 5 s. */
const HEALTHY_MS = 5_700;
const SETTLE_MS = 25_000;
const POLL_MS = 50;

interface Machine {
  state: 'down' | 'live' | 'frozen';
  role: 'none' | 'voter' | 'learner';
  /** Started since it was added. */
  joined: boolean;
  founder: boolean;
  spoiled: boolean;
  memberId: string | null;
}

/** A driver of a subject on which nothing runs. */
export function createDriver(subject: EtcdSubject): Driver {
  const { admin, slots } = subject;
  const machines = slots.map((): Machine => ({
    state: 'down',
    role: 'none',
    joined: false,
    founder: false,
    spoiled: false,
    memberId: null,
  }));
  let list: MemberList | null = null;
  let disturbedAt = subject.now();
  let removedAt = Number.NEGATIVE_INFINITY;
  let writes = 0;

  const machine = (slot: number): Machine => must(machines[slot]);
  const at = (slot: number): Slot => must(slots[slot]);
  const where = (test: (it: Machine) => boolean): number[] =>
    machines.flatMap((it, slot) => (test(it) ? [slot] : []));
  const standing = (): Standing => ({
    live: where((it) => it.state === 'live'),
    frozen: where((it) => it.state === 'frozen'),
    voters: where((it) => it.role === 'voter'),
    learners: where((it) => it.role === 'learner'),
    waiting: where((it) => it.role !== 'none' && !it.joined),
    founders: where((it) => it.founder),
    spoiled: where((it) => it.spoiled),
    slots: slots.length,
  });
  const disturb = (): void => {
    disturbedAt = subject.now();
  };
  const passUntil = async (moment: number): Promise<void> => {
    const ms = moment - subject.now();
    if (ms > 0) await subject.pass(ms);
  };
  const eventually = async (test: () => Promise<boolean> | boolean, limitMs: number): Promise<boolean> => {
    const end = subject.now() + limitMs;
    for (;;) {
      if (await test()) return true;
      if (subject.now() >= end) return false;
      await subject.pass(POLL_MS);
    }
  };
  const start = async (slot: number, initial: EtcdStart['initial']): Promise<void> => {
    await subject.start(slot, initial);
    machine(slot).state = 'live';
    machine(slot).joined = true;
    disturb();
  };
  const founding = (): NonNullable<EtcdStart['initial']> => ({
    state: 'new',
    cluster: slots.slice(0, FOUNDERS).map(({ name, peerUrl }) => ({ name, peerUrl })),
    token: TOKEN,
  });
  const existing = (extra: readonly Slot[] = []): NonNullable<EtcdStart['initial']> => ({
    state: 'existing',
    token: TOKEN,
    cluster: [...must(list).members.map((it) => slotOf(it.peerUrls[0])), ...extra].map(
      ({ name, peerUrl }) => ({ name, peerUrl }),
    ),
  });
  const slotOf = (peerUrl: string | undefined): Slot => must(slots.find((it) => it.peerUrl === peerUrl));

  /** Waits until the slot's etcd serves or has ended, and tells which; without a majority it can only end. */
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
    if (!(await eventually(async () => await leads(first), SETTLE_MS)))
      return `${at(first).name} does not lead`;
    const now = await asked(first);
    if (!now.known) return `it answers no more: ${now.reason}`;
    list = now.value;
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
    const holder = machines.findIndex((it) => it.memberId === leader && it.state === 'live');
    if (holder >= 0) await admin.moveLeader(at(holder).endpoint, memberId, calm);
    return false;
  };
  const note = (now: MemberList): void => {
    for (const [slot, it] of machines.entries()) {
      const member = now.members.find((one) => one.peerUrls.includes(at(slot).peerUrl));
      it.role = member === undefined ? 'none' : member.learner ? 'learner' : 'voter';
      if (it.memberId !== (member?.id ?? null)) {
        it.founder = false;
        it.joined = (member?.clientUrls.length ?? 0) > 0;
      }
      it.memberId = member?.id ?? null;
    }
  };
  const tellMembers = (now: MemberList): string =>
    now.members
      .map((it) => {
        const started = it.clientUrls.length > 0 ? '' : ' unstarted';
        return `${slotOf(it.peerUrls[0]).name}${it.name === '' ? '?' : ''}${started}${it.learner ? ' learner' : ''}`;
      })
      .sort()
      .join(', ');

  const act = async (operation: Operation): Promise<string> => {
    switch (operation.kind) {
      case 'put':
        writes += 1;
        return classOf(await admin.put(at(operation.via).endpoint, operation.key, `v${writes}`, {}, calm));
      case 'get':
      case 'get-local': {
        const serializable = operation.kind === 'get-local';
        return classOf(await admin.read(at(operation.via).endpoint, operation.key, { serializable }, calm));
      }
      case 'lock':
        return await lock(at(operation.via).endpoint, operation.key);
      case 'expire':
        return await expire(at(operation.via).endpoint, operation.key);
      case 'add':
      case 'promote':
      case 'remove':
      case 'remove-unknown':
      case 'move':
        return await change(operation);
      case 'join':
        if (machine(operation.slot).state === 'down') await subject.wipe(operation.slot);
        await start(operation.slot, existing());
        return await fate(operation.slot);
      case 'miscount': {
        const bogus = { name: 'n9', endpoint: '', peerUrl: 'http://127.0.0.9:2380' };
        await subject.wipe(operation.slot);
        await start(operation.slot, existing([bogus]));
        const ended = await fate(operation.slot);
        machine(operation.slot).joined = false;
        return ended;
      }
      case 'kill':
      case 'stop':
        await subject.end(operation.slot, operation.kind === 'kill' ? 'SIGKILL' : 'SIGTERM');
        machine(operation.slot).state = 'down';
        disturb();
        return 'ended';
      case 'start':
        try {
          await start(operation.slot, null);
        } catch (error) {
          return describeError(error);
        }
        return await fate(operation.slot);
      case 'freeze':
      case 'thaw':
        await subject.freeze(operation.slot, operation.kind === 'freeze');
        machine(operation.slot).state = operation.kind === 'freeze' ? 'frozen' : 'live';
        disturb();
        return 'done';
      case 'wipe':
      case 'refound': {
        const { slot } = operation;
        await subject.end(slot, 'SIGKILL');
        await subject.wipe(slot);
        await start(slot, operation.kind === 'wipe' ? existing() : founding());
        const words = await fate(slot);
        machine(slot).spoiled = machine(slot).state === 'down';
        return words;
      }
    }
  };
  const change = async (
    operation: Extract<
      Operation,
      { readonly kind: 'add' | 'promote' | 'remove' | 'remove-unknown' | 'move' }
    >,
  ): Promise<string> => {
    const { endpoint } = at(operation.via);
    await passUntil(Math.max(disturbedAt + HEALTHY_MS, removedAt + 1_100));
    if (operation.kind === 'remove-unknown')
      return outcomeOf(await admin.removeMember(endpoint, 'deadbeefdeadbeef', calm));
    const { slot } = operation;
    const memberId = machine(slot).memberId ?? 'deadbeefdeadbeef';
    if (operation.kind === 'promote') return outcomeOf(await admin.promote(endpoint, memberId, calm));
    if (operation.kind === 'move') return outcomeOf(await admin.moveLeader(endpoint, memberId, calm));
    if (operation.kind === 'add') {
      const added = await admin.addLearner(endpoint, at(slot).peerUrl, calm);
      if (added.ok) machine(slot).spoiled = false;
      return outcomeOf(added);
    }
    const outcome = await admin.removeMember(endpoint, memberId, calm);
    // Who removes itself may end before it has answered.
    const ended = (): boolean => subject.exitOf(slot)?.saysRemoved ?? false;
    const isGone = outcome.ok || (operation.via === slot && (await eventually(ended, 3_000)));
    if (!isGone) return outcomeOf(outcome);
    removedAt = subject.now();
    Object.assign(machine(slot), { role: 'none', memberId: null, founder: false });
    if (machine(slot).state !== 'live') return 'ok';
    // With a frozen peer real etcd hangs in its own shutdown: it serves nobody any more, and is ended here.
    const hangs = standing().frozen.length > 0;
    if (!(await eventually(ended, hangs ? 3_000 : SETTLE_MS))) {
      if (!hangs) return 'it was removed and runs on';
      await subject.end(slot, 'SIGKILL');
      machine(slot).state = 'down';
      disturb();
      return 'removed';
    }
    return await fate(slot);
  };
  const lock = async (endpoint: string, key: string): Promise<string> => {
    const lease = await admin.grantLease(endpoint, 30, calm);
    if (!lease.known) return classOf(lease);
    const made = await admin.createKey(endpoint, `${key}/lock`, 'me', lease.value, calm);
    const again = await admin.createKey(endpoint, `${key}/lock`, 'you', lease.value, calm);
    const createRevision = made.known ? (made.value?.createRevision ?? '') : '';
    const fence = { key: `${key}/lock`, createRevision };
    const broken = { key: `${key}/lock`, createRevision: '1' };
    const told = [made, again, await admin.keepAlive(endpoint, lease.value, calm)];
    told.push(await admin.put(endpoint, key, 'fenced', { fence }, calm));
    told.push(await admin.put(endpoint, key, 'late', { fence: broken }, calm));
    told.push(await admin.revokeLease(endpoint, lease.value, calm));
    told.push(await admin.revokeLease(endpoint, lease.value, calm));
    told.push(await admin.put(endpoint, key, 'late', { leaseId: lease.value }, calm));
    told.push(await admin.read(endpoint, `${key}/lock`, { serializable: false }, calm));
    return told.map(classOf).join(' ');
  };
  const expire = async (endpoint: string, key: string): Promise<string> => {
    // etcd makes it two seconds.
    const lease = await admin.grantLease(endpoint, 1, calm);
    if (!lease.known) return classOf(lease);
    const told: Known<unknown>[] = [await admin.createKey(endpoint, `${key}/short`, 'me', lease.value, calm)];
    await subject.pass(1_200);
    told.push(await admin.read(endpoint, `${key}/short`, { serializable: false }, calm));
    await subject.pass(2_300);
    told.push(await admin.read(endpoint, `${key}/short`, { serializable: false }, calm));
    told.push(await admin.keepAlive(endpoint, lease.value, calm));
    return told.map(classOf).join(' ');
  };

  return {
    standing,
    async found() {
      for (const slot of [...machines.keys()].slice(0, FOUNDERS)) {
        await start(slot, founding());
        Object.assign(machine(slot), { role: 'voter', founder: true });
      }
      for (const slot of standing().live) await fate(slot);
      const list_ = await admin.memberList(at(0).endpoint, { linearizable: true }, calm);
      if (list_.known)
        for (const [slot, it] of machines.entries())
          it.memberId =
            list_.value.members.find((one) => one.peerUrls.includes(at(slot).peerUrl))?.id ?? null;
      return await look();
    },
    async perform(operation) {
      const before = disturbedAt;
      const said = await act(operation);
      const standing_ = await look();
      // Connections are made while it settles.
      if (disturbedAt !== before) disturb();
      return `${said} | ${standing_}`;
    },
  };
}

function classOf(fact: Known<unknown>): string {
  if (!fact.known) return refusalOf(new Error(fact.reason)).code;
  return JSON.stringify(fact.value);
}

function outcomeOf(outcome: AdminOutcome): string {
  return outcome.ok ? 'ok' : outcome.code;
}

function must<T>(value: T | null | undefined): T {
  if (value === null || value === undefined) throw new Error('there is none');
  return value;
}

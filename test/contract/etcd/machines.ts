import type { MemberList } from '../../../src/core/members.ts';
import type { EtcdStart } from '../../../src/daemon/ports.ts';
import type { Standing } from './operation.ts';
import type { EtcdSubject, Slot } from './subject.ts';

const POLL_MS = 50;
const FOUNDERS = 3;
const TOKEN = 'contract-token';

/** What the driver knows of a machine. */
export interface Machine {
  state: 'down' | 'live' | 'frozen';
  role: 'none' | 'voter' | 'learner';
  /** Started since it was added. */
  joined: boolean;
  founder: boolean;
  spoiled: boolean;
  memberId: string | null;
}

/** The machines of a subject, as the one who drives them keeps book of them. */
export interface Machines {
  readonly subject: EtcdSubject;
  readonly all: readonly Machine[];
  machine(slot: number): Machine;
  at(slot: number): Slot;
  slotOf(peerUrl: string | undefined): Slot;
  standing(): Standing;
  /** Connections were made or broken just now. */
  disturb(): void;
  disturbedAt(): number;
  /** The members are these now. */
  note(list: MemberList): void;
  start(slot: number, initial: EtcdStart['initial']): Promise<void>;
  founding(): NonNullable<EtcdStart['initial']>;
  /** The words of a joiner, with members that are none. */
  existing(extra?: readonly Slot[]): NonNullable<EtcdStart['initial']>;
  /** Asks until it is so, or it took so long. */
  eventually(test: () => Promise<boolean> | boolean, limitMs: number): Promise<boolean>;
}

/** The book of a subject on which nothing runs. */
export function createMachines(subject: EtcdSubject): Machines {
  const { slots } = subject;
  const all = slots.map((_, slot): Machine => ({
    state: 'down',
    role: slot < FOUNDERS ? 'voter' : 'none',
    joined: false,
    founder: slot < FOUNDERS,
    spoiled: false,
    memberId: null,
  }));
  let list: MemberList | null = null;
  let disturbedAt = subject.now();
  const machine = (slot: number): Machine => must(all[slot]);
  const where = (test: (it: Machine) => boolean): readonly number[] =>
    all.flatMap((it, slot) => (test(it) ? [slot] : []));
  const slotOf = (peerUrl: string | undefined): Slot => must(slots.find((it) => it.peerUrl === peerUrl));
  const disturb = (): void => {
    disturbedAt = subject.now();
  };
  const words = (some: readonly Slot[]): NonNullable<EtcdStart['initial']>['cluster'] =>
    some.map(({ name, peerUrl }) => ({ name, peerUrl }));
  return {
    subject,
    all,
    machine,
    at: (slot) => must(slots[slot]),
    slotOf,
    standing: () => ({
      live: where((it) => it.state === 'live'),
      frozen: where((it) => it.state === 'frozen'),
      voters: where((it) => it.role === 'voter'),
      learners: where((it) => it.role === 'learner'),
      waiting: where((it) => it.role !== 'none' && !it.joined),
      founders: where((it) => it.founder),
      spoiled: where((it) => it.spoiled),
      slots: slots.length,
    }),
    disturb,
    disturbedAt: () => disturbedAt,
    note(now) {
      list = now;
      for (const [slot, it] of all.entries()) {
        const member = now.members.find((one) => one.peerUrls.includes(slots[slot]?.peerUrl ?? ''));
        it.role = member === undefined ? 'none' : member.learner ? 'learner' : 'voter';
        if (it.memberId !== null && it.memberId !== member?.id) it.founder = false;
        if (it.memberId !== (member?.id ?? null)) it.joined = (member?.clientUrls.length ?? 0) > 0;
        it.memberId = member?.id ?? null;
      }
    },
    async start(slot, initial) {
      await subject.start(slot, initial);
      Object.assign(machine(slot), { state: 'live', joined: true });
      disturb();
    },
    founding: () => ({ state: 'new', cluster: words(slots.slice(0, FOUNDERS)), token: TOKEN }),
    existing: (extra = []) => ({
      state: 'existing',
      token: TOKEN,
      cluster: words([...must(list).members.map((it) => slotOf(it.peerUrls[0])), ...extra]),
    }),
    async eventually(test, limitMs) {
      const end = subject.now() + limitMs;
      for (;;) {
        if (await test()) return true;
        if (subject.now() >= end) return false;
        await subject.pass(POLL_MS);
      }
    },
  };
}

function must<T>(value: T | null | undefined): T {
  if (value === null || value === undefined) throw new Error('there is none');
  return value;
}

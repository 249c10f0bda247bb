import type { joinVersion } from '../../../src/core/join-version.ts';
import type { planUpgrade } from '../../../src/core/plan-upgrade.ts';
import type { CheckCode } from '../../../src/core/upgrade.ts';
import type { checksOf } from '../../../src/core/upgrade-checks.ts';
import type { downgradeOf } from '../../../src/core/upgrade-downgrade.ts';
import { UPGRADE_LOCK_KEY } from '../../../src/core/upgrade-record.ts';
import type { workOf } from '../../../src/core/upgrade-work.ts';
import { known } from '../../../src/core/known.ts';
import { pickVersion } from '../../../src/core/versions.ts';
import type { createLeasedLock } from '../../../src/daemon/leased-lock.ts';
import type { whileNobodySteps } from '../../../src/daemon/nobody-steps.ts';
import type { Ports } from '../../../src/daemon/ports.ts';
import type { Plot } from '../plot.ts';
import type { Bug } from './bug.ts';
import { bugIn } from './planted.ts';

/** Bugs of those who step from one version to the next. */
export const UPGRADE_BUGS: readonly Bug[] = [
  {
    name: 'whoever is to step, steps, and takes no lock',
    law: 8,
    shows: [5],
    profile: 'upgrade',
    source: {
      ...bugIn<typeof planUpgrade>('planUpgrade', selfish),
      ...bugIn<typeof createLeasedLock>('createLeasedLock', (original) => (options, ports) => ({
        ...original(options, ports),
        take: async () => true,
        guard: async () => true,
        // There is no such key, and so it is as this says.
        fence: () => ({ key: '_no_lock', createRevision: '0' }),
      })),
    },
  },
  {
    name: 'whoever is to step, steals the lock',
    law: 8,
    shows: [5],
    profile: 'upgrade',
    source: bugIn<typeof planUpgrade>('planUpgrade', selfish),
    ports: (ports) => ({ ...ports, admin: { ...ports.admin, createKey: stealing(ports) } }),
  },
  {
    name: 'a step goes on when its lock is lost',
    law: 8,
    profile: 'upgrade',
    when: freezesHolder,
    source: bugIn<typeof createLeasedLock>('createLeasedLock', (original) => (options, ports) => ({
      ...original(options, ports),
      guard: async () => true,
    })),
  },
  {
    name: 'the house is kept while a member steps',
    law: 8,
    profile: 'upgrade',
    when: ({ incidents }) =>
      incidents.some((it) => ['terminate', 'lose', 'scale', 'refresh'].includes(it.kind)),
    source: bugIn<typeof whileNobodySteps>('whileNobodySteps', () => (right) => right),
    ports: (ports) => ({ ...ports, admin: { ...ports.admin, read: seeingNoStep(ports) } }),
  },
  {
    name: 'what the data hold is not asked',
    law: 8,
    shows: [5],
    profile: 'upgrade',
    source: passing('upgrade-v2', 'upgrade-snapshot'),
  },
  {
    name: 'nobody asks what the others carry',
    law: 8,
    profile: 'upgrade',
    source: passing('upgrade-lacks'),
  },
  {
    name: 'the leader steps first',
    law: 8,
    profile: 'upgrade',
    source: bugIn<typeof workOf>('workOf', (original) => (seen) => {
      const view = original(seen);
      if (view.kind !== 'work') return view;
      return { ...view, work: { ...view.work, candidates: view.work.candidates.toReversed() } };
    }),
  },
  {
    name: 'a member steps down before etcd was told',
    law: 8,
    shows: [5],
    profile: 'upgrade',
    when: ({ incidents }) => incidents.some((it) => it.kind === 'order' && it.what === 'to'),
    source: bugIn<typeof downgradeOf>('downgradeOf', () => () => ({ kind: 'ready' })),
  },
  {
    name: 'who joins, joins with the newest',
    law: 5,
    profile: 'upgrade',
    when: ({ incidents }) => incidents.some((it) => it.kind === 'refresh' || it.kind === 'terminate'),
    source: bugIn<typeof joinVersion>('joinVersion', (original) => (seen) => {
      const choice = original(seen);
      const version = pickVersion(seen.installed, null);
      return choice.kind === 'missing' || version === null ? choice : { kind: 'chosen', version };
    }),
  },
];

/** Sees neither another's lock nor its step, and has its own turn before all. */
function selfish(original: typeof planUpgrade): typeof planUpgrade {
  return (seen) => {
    const record = seen.record.known ? known({ ...seen.record.value, step: null }) : seen.record;
    const plan = original({ ...seen, record, lockedBy: null });
    const own = seen.members.find((it) => it.name === seen.self);
    const { action } = plan;
    if (action.kind !== 'step' || own?.version == null || !plan.waiting.includes(seen.self)) return plan;
    const { version } = own;
    return {
      ...plan,
      action: { ...action, who: seen.self, memberId: own.id, from: version, handOverTo: null },
    };
  };
}

function stealing({ admin }: Ports): Ports['admin']['createKey'] {
  return async (endpoint, key, value, leaseId, signal) => {
    const made = await admin.createKey(endpoint, key, value, leaseId, signal);
    if (key !== UPGRADE_LOCK_KEY || !made.known || made.value !== null) return made;
    await admin.put(endpoint, key, value, { leaseId }, signal);
    const read = await admin.read(endpoint, key, { serializable: false }, signal);
    return read.known ? known(read.value) : read;
  };
}

function passing(...codes: readonly CheckCode[]): NonNullable<Bug['source']> {
  return bugIn<typeof checksOf>(
    'checksOf',
    (original) => (seen, work) =>
      original(seen, work).map((it) => (codes.includes(it.code) ? { ...it, ok: true } : it)),
  );
}

/** Plots in which the holder of the upgrade lock stands still for longer than its lease. */
function freezesHolder({ incidents }: Plot): boolean {
  return incidents.some(
    (it) =>
      it.kind === 'in-step' &&
      it.to === 'holder' &&
      it.does.kind === 'freeze' &&
      it.does.what === 'appliance' &&
      it.forMs > 65_000,
  );
}

/** To who keeps house, who alone asks for no quorum's word on it, nobody steps. */
function seeingNoStep({ admin }: Ports): Ports['admin']['read'] {
  return async (endpoint, key, how, signal) =>
    key === UPGRADE_LOCK_KEY && how.serializable ? known(null) : await admin.read(endpoint, key, how, signal);
}

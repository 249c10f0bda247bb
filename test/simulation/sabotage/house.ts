import type { isTerminatedForCertain } from '../../../src/core/fleet.ts';
import { known } from '../../../src/core/known.ts';
import { allMarks } from '../../../src/core/mark.ts';
import { hostName, namesOf } from '../../../src/core/names.ts';
import type { planClaimUpkeep } from '../../../src/core/plan-claim.ts';
import type { planDns } from '../../../src/core/plan-dns.ts';
import type { planMembership } from '../../../src/core/plan-membership.ts';
import { reason } from '../../../src/core/reason.ts';
import type { RecordSet } from '../../../src/core/records.ts';
import type { createMaintenanceLock } from '../../../src/daemon/maintenance-lock.ts';
import type { Ports } from '../../../src/daemon/ports.ts';
import { CLUSTER } from '../world/names.ts';
import type { Bug } from './bug.ts';
import { bugIn } from './planted.ts';
import { together } from './when.ts';

/** Bugs against laws 4, 6, 8, 9 and 10: of those who keep house. */
export const HOUSE_BUGS: readonly Bug[] = [
  {
    name: 'who EC2 does not answer about is terminated',
    law: 4,
    profile: 'aws',
    when: together(['lose'], ['aws'], 15_000),
    ports: (ports) => ({ ...ports, fleet: { ...ports.fleet, evidence: takingSilenceForTheEnd(ports) } }),
  },
  {
    name: 'what is not known of an instance is its end',
    law: 4,
    profile: 'aws',
    when: together(['lose'], ['aws'], 15_000),
    source: bugIn<typeof isTerminatedForCertain>(
      'isTerminatedForCertain',
      (original) => (evidence) => !evidence.ec2.known || original(evidence),
    ),
  },
  {
    name: 'an instance that is stopped is gone, whatever its group lists',
    law: 6,
    profile: 'scaling',
    source: bugIn<typeof isTerminatedForCertain>(
      'isTerminatedForCertain',
      (original) => (evidence) =>
        original(evidence) || (evidence.ec2.known && evidence.ec2.value.startsWith('stop')),
    ),
  },
  {
    name: 'who does not answer is evicted',
    law: 6,
    profile: 'network',
    source: bugIn<typeof isTerminatedForCertain>('isTerminatedForCertain', () => () => true),
  },
  {
    name: 'nobody is ever evicted',
    law: 6,
    shows: [9],
    profile: 'scaling',
    stuck: true,
    source: bugIn<typeof planMembership>('planMembership', (original) => (seen) => ({
      ...original(seen),
      action: null,
    })),
  },
  {
    name: 'the lock is not looked at before an act',
    law: 8,
    profile: 'mixed',
    when: together(['lose', 'terminate', 'scale', 'refresh'], ['freeze-at-call'], 10_000),
    source: bugIn<typeof createMaintenanceLock>('createMaintenanceLock', (original) => (context) => ({
      ...original(context),
      guard: async () => true,
      isTimely: () => true,
    })),
  },
  {
    name: 'everybody keeps house',
    law: 8,
    profile: 'scaling',
    source: bugIn<typeof createMaintenanceLock>('createMaintenanceLock', (original) => (context) => ({
      ...original(context),
      holds: () => true,
      guard: async () => true,
      isTimely: () => true,
    })),
  },
  {
    name: 'the leader keeps house, and takes no lock',
    law: 8,
    profile: 'scaling',
    source: bugIn<typeof createMaintenanceLock>('createMaintenanceLock', (original) => (context) => {
      const lock = original(context);
      let keeps = false;
      return {
        ...lock,
        take: async () => (keeps = await Promise.resolve(true)),
        holds: () => keeps,
        guard: async () => await Promise.resolve(keeps),
        isTimely: () => keeps,
        release: async (signal) => {
          keeps = false;
          await lock.release(signal);
        },
      };
    }),
  },
  {
    name: 'the claim is overwritten, whatever stands there',
    law: 8,
    shows: [1],
    profile: 'scaling',
    ports: (ports) => ({ ...ports, zone: { ...ports.zone, change: overwriting(ports) } }),
  },
  {
    name: 'names are taken away while the fleet is unknown',
    law: 4,
    profile: 'aws',
    when: together(['lose', 'kill', 'terminate'], ['aws'], 20_000),
    source: bugIn<typeof planDns>('planDns', (original) => (seen) => original({ ...seen, fleetKnown: true })),
  },
  {
    name: 'who leaves is named no more, though nobody else serves',
    law: 9,
    profile: 'scaling',
    source: bugIn<typeof planDns>('planDns', (original) => (seen) => {
      const stays = seen.members.some((it) => seen.healthy.has(it.id) && !seen.leaving.has(it.name));
      const services = seen.records.filter((it) => it.type === 'SRV');
      return stays
        ? original(seen)
        : { ...original(seen), changes: services.map((record) => ({ action: 'DELETE', record })) };
    }),
  },
  {
    name: 'every address under the name is ours',
    law: 9,
    profile: 'mixed',
    source: bugIn<typeof planDns>('planDns', (original) => (seen) => {
      const plan = original(seen);
      const hosts = new Set(seen.members.map((it) => it.name));
      const strangers = seen.records.filter(
        (it) =>
          it.type === 'A' &&
          it.name.endsWith(`.${seen.cluster}`) &&
          !it.name.startsWith('etcd-server.') &&
          !it.name.startsWith('i-') &&
          !hosts.has(it.name),
      );
      return {
        ...plan,
        changes: [...plan.changes, ...strangers.map((record) => ({ action: 'DELETE' as const, record }))],
      };
    }),
  },
  {
    name: 'who does not answer loses its host name',
    law: 9,
    profile: 'crash',
    source: bugIn<typeof planDns>('planDns', (original) => (seen) => {
      const plan = original(seen);
      if (!seen.fleetKnown || plan.changes.length > 0) return plan;
      const silent = new Set(
        seen.members.filter((it) => !seen.healthy.has(it.id)).map((it) => hostName(seen.cluster, it.name)),
      );
      const hosts = seen.records.filter((it) => it.type === 'A' && silent.has(it.name));
      return { ...plan, changes: hosts.map((record) => ({ action: 'DELETE' as const, record })) };
    }),
  },
  {
    name: 'marks go when the cluster is formed',
    law: 4,
    profile: 'scaling',
    source: bugIn<typeof planClaimUpkeep>('planClaimUpkeep', (original) => (seen) => {
      const plan = original(seen);
      const standing = allMarks(seen.cluster, seen.records).map(({ record }) => record);
      const kept = standing.filter((it) => !plan.changes.some(({ record }) => record.name === it.name));
      return {
        ...plan,
        changes: [...plan.changes, ...kept.map((record) => ({ action: 'DELETE' as const, record }))],
      };
    }),
  },
  {
    name: 'what is gone stays named',
    law: 9,
    profile: 'scaling',
    stuck: true,
    source: bugIn<typeof planDns>(
      'planDns',
      (original) => (seen) => original({ ...seen, fleetKnown: false }),
    ),
  },
  {
    name: 'the records are written anew in every look',
    law: 10,
    profile: 'mixed',
    stuck: true,
    source: bugIn<typeof planDns>('planDns', (original) => (seen) => {
      const plan = original(seen);
      const record = seen.records.find((it) => it.type === 'A' && it.name === seen.cluster);
      if (record === undefined || plan.changes.length > 0) return plan;
      return {
        changes: [
          { action: 'DELETE', record },
          { action: 'CREATE', record },
        ],
        reasons: [reason('dns-change', 'writes them anew')],
      };
    }),
  },
];

/** Whatever claim stands there gives way to the new one, as Route 53's UPSERT does it. */
function overwriting({ zone }: Ports): Ports['zone']['change'] {
  return async (changes, signal) => {
    const made = changes.find(({ action, record }) => action === 'CREATE' && isClaim(record));
    const standing = made === undefined ? null : await zone.list(signal);
    if (made === undefined || standing?.known !== true) return await zone.change(changes, signal);
    const before = standing.value.filter(isClaim);
    const upsert = [...before.map((record) => ({ action: 'DELETE' as const, record })), made];
    return await zone.change([...changes.filter(({ record }) => !isClaim(record)), ...upsert], signal);
  };
}

function isClaim({ name, type }: RecordSet): boolean {
  return type === 'TXT' && name === namesOf(CLUSTER).claim;
}

function takingSilenceForTheEnd({ fleet }: Ports): Ports['fleet']['evidence'] {
  return async (instances, signal) => {
    const answer = await fleet.evidence(instances, signal);
    return answer.known ? answer : known(new Map(instances.map((it) => [it.id, 'terminated' as const])));
  };
}

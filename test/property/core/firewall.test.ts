import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isTerminatedForCertain } from '../../../src/core/fleet.ts';
import type { FirewallObservation, IngressRule } from '../../../src/core/plan-firewall.ts';
import { planArrival, planFirewall, ruleDescription, ruleOwner } from '../../../src/core/plan-firewall.ts';
import { known } from '../../../src/core/known.ts';
import { evidences, fleets, knownOr, NUMBERS } from '../../fixtures/core/arbitrary.ts';
import { addressOf, CLUSTER, idOf, REGION } from '../../fixtures/core/world.ts';

const FAR = 'us-east-1';
const regionOf = (n: number): string => (n % 2 === 0 ? FAR : REGION);

const rules: fc.Arbitrary<readonly IngressRule[]> = fc.uniqueArray(
  fc
    .record({ owner: fc.constantFrom(...NUMBERS), at: fc.constantFrom(...NUMBERS), ours: fc.boolean() })
    .map(({ owner, at, ours }) => ({
      from: 2378,
      to: 2380,
      address: addressOf(at),
      description: ours ? ruleDescription(CLUSTER, { id: idOf(owner), region: regionOf(owner) }) : 'by hand',
    })),
  { selector: (it) => it.address },
);

const groups = knownOr(fc.array(rules, { maxLength: 2 })).map((it) =>
  it.known ? known(it.value.map((some, index) => ({ id: `sg-${index}`, rules: some }))) : it,
);

const observations: fc.Arbitrary<FirewallObservation> = fc
  .record({
    fleet: fleets,
    here: groups,
    there: groups,
    withOwnRegion: fc.boolean(),
    members: fc.subarray([...NUMBERS]),
    evidence: evidences,
  })
  .map(({ fleet, here, there, withOwnRegion, members, evidence }) => ({
    cluster: CLUSTER,
    fleet: {
      ...fleet,
      instances: fleet.instances.map((it) => ({
        ...it,
        region: regionOf(NUMBERS.find((n) => idOf(n) === it.id) ?? 1),
      })),
    },
    groups: new Map([
      [REGION, here],
      [FAR, there],
    ]),
    ports: [{ from: 2378, to: 2380 }],
    withOwnRegion,
    members: new Set(members.map(idOf)),
    evidence,
  }));

/** The same, after everything that was planned has been done. */
function after(seen: FirewallObservation): FirewallObservation {
  const { changes } = planFirewall(seen);
  const changed = [...seen.groups].map(([region, inRegion]) => {
    if (!inRegion.known) return [region, inRegion] as const;
    const then = inRegion.value.map(({ id, rules: before }) => {
      const change = changes.find((it) => it.region === region && it.groupId === id);
      const left = before.filter((it) => change?.close.includes(it) !== true);
      return { id, rules: [...left, ...(change?.open ?? [])] };
    });
    return [region, known(then)] as const;
  });
  return { ...seen, groups: new Map(changed) };
}

describe('planFirewall, whatever AWS says', () => {
  it('closes only rules of ours, of instances that are terminated for certain and no members', () => {
    fc.assert(
      fc.property(observations, (seen) => {
        for (const { description } of planFirewall(seen).changes.flatMap((it) => it.close)) {
          const owner = ruleOwner(CLUSTER, description);
          const evidence = seen.evidence.get(owner?.id ?? '');
          expect(evidence !== undefined && isTerminatedForCertain(evidence)).toBe(true);
          expect(seen.members.has(owner?.id ?? '')).toBe(false);
        }
      }),
    );
  });

  it('closes nothing that another instance needs, and opens nothing that it closes', () => {
    fc.assert(
      fc.property(observations, (seen) => {
        for (const { open, close } of planFirewall(seen).changes) {
          for (const rule of close) {
            const owner = ruleOwner(CLUSTER, rule.description)?.id;
            expect(
              seen.fleet.instances.filter((it) => it.address === rule.address && it.id !== owner),
            ).toEqual([]);
          }
          expect(open.filter((it) => close.some((other) => other.address === it.address))).toEqual([]);
        }
      }),
    );
  });

  it('lets in exactly who lives outside, and then has nothing more to open or to close', () => {
    fc.assert(
      fc.property(observations, (seen) => {
        const then = after(seen);
        expect(planFirewall(then).changes).toEqual([]);
        const all = [...then.groups].flatMap(([region, inRegion]) =>
          inRegion.known ? inRegion.value.map((group) => ({ region, group })) : [],
        );
        for (const { region, group } of all) {
          const addresses = group.rules.map((it) => it.address);
          for (const { address, state, region: home } of then.fleet.instances) {
            if (address === null || (state !== 'running' && state !== 'pending')) continue;
            if (seen.withOwnRegion || home !== region) expect(addresses).toContain(address);
          }
        }
      }),
    );
  });

  it('does for who arrives a part of what is planned for all', () => {
    fc.assert(
      fc.property(observations, fc.constantFrom(...NUMBERS), (seen, n) => {
        const all = planFirewall(seen).changes;
        for (const { region, groupId, open, close } of planArrival(seen, { id: idOf(n), region: regionOf(n) })
          .changes) {
          expect(close).toEqual([]);
          const whole = all.find((it) => it.region === region && it.groupId === groupId)?.open ?? [];
          expect(whole).toEqual(expect.arrayContaining([...open]));
        }
      }),
    );
  });
});

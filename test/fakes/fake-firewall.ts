import { known, unknown } from '../../src/core/known.ts';
import type { IngressRule } from '../../src/core/plan-firewall.ts';
import type { FirewallOutcome, FirewallPort } from '../../src/daemon/ports.ts';

/**
 * Security groups in memory, all of them in use where a region has instances: `sg-<region>`, and any more of a region under
 * the region's name with a word behind it.
 */
export interface FakeFirewall extends FirewallPort {
  /** What stands, by region, or by region and word. */
  readonly rules: Map<string, readonly IngressRule[]>;
  /** Every question and change so far: its kind, its region, and the addresses. */
  readonly calls: { readonly kind: string; readonly region: string; readonly addresses: readonly string[] }[];
  /** Says this instead of doing what is asked; null: does it again. */
  refuse(region: string, outcome: Exclude<FirewallOutcome, { kind: 'done' }> | null): void;
}

/** Groups with these rules; a region that is not among them has no group. */
export function createFakeFirewall(
  groups: Readonly<Record<string, readonly IngressRule[]>> = {},
): FakeFirewall {
  const rules = new Map(Object.entries(groups));
  const calls: FakeFirewall['calls'] = [];
  const refusals = new Map<string, Exclude<FirewallOutcome, { kind: 'done' }>>();
  const change = async (
    kind: 'open' | 'close',
    region: string,
    groupId: string,
    some: readonly IngressRule[],
    after: (before: readonly IngressRule[]) => readonly IngressRule[],
  ): Promise<FirewallOutcome> => {
    await Promise.resolve();
    const key = groupId.replace('sg-', '');
    calls.push({ kind, region: key, addresses: some.map((it) => it.address) });
    const refusal = refusals.get(region);
    if (refusal !== undefined) return refusal;
    rules.set(key, after(rules.get(key) ?? []));
    return { kind: 'done' };
  };
  const isSame = (one: IngressRule, other: IngressRule): boolean =>
    one.address === other.address && one.from === other.from && one.to === other.to;
  return {
    rules,
    calls,
    refuse: (region, outcome) => {
      if (outcome === null) refusals.delete(region);
      else refusals.set(region, outcome);
    },
    async groups(region, instances) {
      await Promise.resolve();
      calls.push({ kind: 'groups', region, addresses: [] });
      const refusal = refusals.get(region);
      if (refusal?.kind === 'unknown') return unknown(refusal.message);
      const keys = [...rules.keys()].filter((it) => it === region || it.startsWith(`${region} `));
      const inUse = instances.length === 0 ? [] : keys;
      return known(inUse.map((key) => ({ id: `sg-${key}`, rules: rules.get(key) ?? [] })));
    },
    open: async (region, groupId, some) =>
      await change('open', region, groupId, some, (before) => [
        ...before,
        ...some.filter((rule) => !before.some((it) => isSame(it, rule))),
      ]),
    close: async (region, groupId, some) =>
      await change('close', region, groupId, some, (before) =>
        before.filter((it) => !some.some((rule) => isSame(it, rule))),
      ),
  };
}

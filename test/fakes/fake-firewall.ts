import { known, unknown } from '../../src/core/known.ts';
import type { IngressRule } from '../../src/core/plan-firewall.ts';
import type { FirewallOutcome, FirewallPort } from '../../src/daemon/ports.ts';

/** Security groups in memory: one of the stack in each region that was given rules, as `sg-<region>`. */
export interface FakeFirewall extends FirewallPort {
  /** What stands, by region. */
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
    some: readonly IngressRule[],
    after: (before: readonly IngressRule[]) => readonly IngressRule[],
  ): Promise<FirewallOutcome> => {
    await Promise.resolve();
    calls.push({ kind, region, addresses: some.map((it) => it.address) });
    const refusal = refusals.get(region);
    if (refusal !== undefined) return refusal;
    rules.set(region, after(rules.get(region) ?? []));
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
    async group(region) {
      await Promise.resolve();
      calls.push({ kind: 'group', region, addresses: [] });
      const refusal = refusals.get(region);
      if (refusal?.kind === 'unknown') return unknown(refusal.message);
      const standing = rules.get(region);
      return known(standing === undefined ? null : { id: `sg-${region}`, rules: standing });
    },
    open: async (region, _groupId, some) =>
      await change('open', region, some, (before) => [
        ...before,
        ...some.filter((rule) => !before.some((it) => isSame(it, rule))),
      ]),
    close: async (region, _groupId, some) =>
      await change('close', region, some, (before) =>
        before.filter((it) => !some.some((rule) => isSame(it, rule))),
      ),
  };
}

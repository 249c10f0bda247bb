import { ruleOwner } from '../../../src/core/plan-firewall.ts';
import { CLUSTER } from './names.ts';
import { regionsOf } from './regions.ts';
import { alive, present, type World } from './world.ts';

/** Null where each region lets in whom it should; else what is not so. */
export function whyNotLetIn(world: World): string | null {
  if (regionsOf(world.plot).length === 1) return null;
  // The groups of a region are those that its instances are in.
  for (const region of regionsOf(world.plot).filter((it) =>
    present(world).some((one) => one.region === it),
  )) {
    const rules = world.firewall.rules.get(region) ?? [];
    for (const it of present(world))
      if (it.region !== region && !rules.some((rule) => rule.address === it.address))
        return `${it.id} is not let in to ${region}`;
    const addresses = new Set(alive(world).map((it) => it.address));
    for (const { address, description } of rules) {
      const owner = ruleOwner(CLUSTER, description)?.id ?? '';
      if (!addresses.has(address) && world.aws.isTerminated(owner))
        return `${owner} is still let in to ${region}`;
    }
  }
  return null;
}

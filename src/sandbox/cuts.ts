import { ApplianceError } from '../errors.ts';
import type { Faults } from './model.ts';
import { NO_PARTITIONS } from './network.ts';
import type { MachineNetwork } from './network.ts';

/** From what an instance is cut off; `none` mends it. */
export const CUT_FROM = ['peers', 'aws', 'both', 'none'] as const;
export type CutFrom = (typeof CUT_FROM)[number];

export interface CutRequest {
  readonly from: CutFrom;
  /** With `peers` or `both`: only from these instances. All others where absent. */
  readonly only?: readonly string[];
}

export interface Cuts {
  /**
   * Replaces what the instance was cut off from before. In namespaces packets are dropped; on loopback the cloud never
   * answers this instance, and a cut from peers is refused.
   */
  readonly cut: (instanceId: string, request: CutRequest) => Promise<void>;
  readonly list: () => Readonly<Record<string, CutRequest>>;
}

/** Cuts instances off. `addressOf` gives the address of a running instance, and throws for any other. */
export function createCuts(deps: {
  readonly network: MachineNetwork;
  readonly faults: Faults;
  readonly addressOf: (instanceId: string) => string;
}): Cuts {
  const { network, faults } = deps;
  const active = new Map<string, CutRequest>();
  const silences = new Map<string, string>();

  const silenceAws = (instanceId: string, silent: boolean): void => {
    const before = silences.get(instanceId);
    if (before !== undefined) faults.lift(before);
    silences.delete(instanceId);
    if (!silent) return;
    const fault = faults.add({ service: '*', action: '*', instance: instanceId, kind: 'hang' });
    silences.set(instanceId, fault.id);
  };

  return {
    cut: async (instanceId, request) => {
      deps.addressOf(instanceId);
      const fromPeers = request.from === 'peers' || request.from === 'both';
      const fromAws = request.from === 'aws' || request.from === 'both';
      if (fromPeers && !network.partitions) throw new ApplianceError({ code: 'usage' }, NO_PARTITIONS);
      if (network.partitions) {
        const peers = fromPeers ? (request.only?.map(deps.addressOf) ?? 'all') : [];
        await network.cut(instanceId, { peers, aws: fromAws });
      } else {
        silenceAws(instanceId, fromAws);
      }
      if (request.from === 'none') active.delete(instanceId);
      else active.set(instanceId, request);
    },
    list: () => Object.fromEntries(active),
  };
}

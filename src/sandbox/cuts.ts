import { ApplianceError } from '../errors.ts';
import type { Edge } from './edge.ts';
import type { FaultRequest, Faults } from './model.ts';
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
  /**
   * The same for a whole region, with the instances that it will have. `aws`: the region's EC2, Auto Scaling and metadata
   * answer nobody, and its instances get no answer from anything of AWS. `peers`: nothing comes over from or to the other
   * regions; on loopback only between public addresses.
   */
  readonly cutRegion: (region: string, from: CutFrom) => Promise<void>;
  readonly listRegions: () => Readonly<Record<string, CutFrom>>;
}

/** Cuts instances and regions off. `addressOf` gives the address of a running instance, and throws for any other. */
export function createCuts(deps: {
  readonly network: MachineNetwork & Pick<Edge, 'isolate'>;
  readonly faults: Faults;
  readonly addressOf: (instanceId: string) => string;
}): Cuts {
  const { network, faults } = deps;
  const active = new Map<string, CutRequest>();
  const regions = new Map<string, CutFrom>();
  const silences = new Map<string, readonly string[]>();

  /** Silences what these limits name, and nothing that was silenced under this name before. */
  const silenceAws = (name: string, limits: readonly Partial<FaultRequest>[]): void => {
    for (const id of silences.get(name) ?? []) faults.lift(id);
    const every = { service: '*', action: '*', instance: '*', kind: 'hang' } as const;
    silences.set(
      name,
      limits.map((limit) => faults.add({ ...every, ...limit }).id),
    );
  };
  const regionsWithout = (cut: CutFrom): readonly string[] =>
    [...regions].filter(([, from]) => from === cut || from === 'both').map(([region]) => region);

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
        silenceAws(instanceId, fromAws ? [{ instance: instanceId }] : []);
      }
      if (request.from === 'none') active.delete(instanceId);
      else active.set(instanceId, request);
    },
    list: () => Object.fromEntries(active),
    cutRegion: async (region, from) => {
      if (from === 'none') regions.delete(region);
      else regions.set(region, from);
      const silent = regionsWithout('aws').includes(region);
      silenceAws(region, silent ? [{ region }, { fromRegion: region }] : []);
      await network.isolate(new Set(regionsWithout('peers')));
    },
    listRegions: () => Object.fromEntries(regions),
  };
}

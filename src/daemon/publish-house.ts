import { hostName, hostOfService, namesOf } from '../core/names.ts';
import type { RecordSet } from '../core/records.ts';
import type { Context } from './context.ts';
import type { HouseMemory } from './house-memory.ts';
import { encodePublished, PUBLISHED_KEY } from './published.ts';
import type { MemberLook } from './state.ts';
import type { HouseRight } from './unlocked.ts';

/** What is published besides what fleet and register say. */
interface Kept {
  readonly members: readonly MemberLook[];
  readonly memory: HouseMemory;
  /** Instances that were known to leave when the names were made. */
  readonly leaving: ReadonlySet<string>;
}

/**
 * Publishes what was seen, where it changed, or is as old as the interval at which AWS is looked at. Nothing before the records
 * were read since the house is kept: another may have named members until then, and who leaves goes by what is published.
 */
export async function publishHouse(
  context: Context,
  right: HouseRight,
  endpoint: string,
  { members, memory, leaving }: Kept,
  signal: AbortSignal,
): Promise<void> {
  const { ports, register, fleetView, options } = context;
  const fence = right.fence();
  const records = register.lastSince(memory.keptSince);
  if (fence === null || !records.known) return;
  const claim = register.standing();
  const fleet = fleetView.last();
  const content = {
    format: 1 as const,
    by: ports.self.id,
    claim: claim?.state === 'formed' ? { token: claim.token, epoch: claim.epoch } : null,
    fleet: fleet.known ? fleet.value : null,
    named: namedIn(options.cluster, records.value, members),
    leaving: [...leaving].sort(),
  };
  const key = JSON.stringify([content, Math.floor(ports.clock.now() / options.housekeepingIntervalMs)]);
  if (key === memory.published) return;
  const fleetAt = fleetView.seen()?.wallTime ?? null;
  const value = encodePublished({ ...content, at: ports.clock.wallTime(), fleetAt });
  const done = await ports.admin.put(endpoint, PUBLISHED_KEY, value, { fence }, signal);
  if (done.known && done.value) memory.published = key;
}

/** Instance ids of the members that clients are sent to. */
function namedIn(
  cluster: string,
  records: readonly RecordSet[],
  members: readonly MemberLook[],
): readonly string[] {
  const [service] = namesOf(cluster).srvClient;
  const hosts = new Set(
    records
      .filter((it) => it.type === 'SRV' && it.name === service)
      .flatMap((it) => it.values.map(hostOfService)),
  );
  return members
    .map((it) => it.name)
    .filter((it) => hosts.has(hostName(cluster, it)))
    .sort();
}

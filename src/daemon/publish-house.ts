import { hostName, hostOfService, namesOf } from '../core/names.ts';
import type { Context } from './context.ts';
import type { HouseMemory } from './house-memory.ts';
import type { Look } from './look.ts';
import { encodePublished, PUBLISHED_KEY } from './published.ts';
import type { HouseRight } from './unlocked.ts';

/**
 * Members that clients are sent to, as the records stand; null: nobody read them since the house is kept, and another may have
 * named members before that. Who leaves waits until it is none of them.
 */
export function namedIn(
  { register, options }: Context,
  seen: Look,
  keptSince: number,
): readonly string[] | null {
  const records = register.last();
  if (!records.known || register.readAt() < keptSince) return null;
  const [service] = namesOf(options.cluster).srvClient;
  const values = records.value
    .filter((it) => it.type === 'SRV' && it.name === service)
    .flatMap((it) => it.values);
  const hosts = new Set(values.map(hostOfService));
  return seen.list.members
    .map((it) => it.name)
    .filter((it) => hosts.has(hostName(options.cluster, it)))
    .sort();
}

/** Publishes what was seen, where it changed, or is as old as the interval at which AWS is looked at. */
export async function publishHouse(
  context: Context,
  right: HouseRight,
  endpoint: string,
  { memory, leaving }: { readonly memory: HouseMemory; readonly leaving: ReadonlySet<string> },
  signal: AbortSignal,
): Promise<void> {
  const { ports, register, fleetView } = context;
  const fence = right.fence();
  if (fence === null || memory.named === null) return;
  const claim = register.standing();
  const fleet = fleetView.last();
  const content = {
    format: 1 as const,
    by: ports.self.id,
    claim: claim?.state === 'formed' ? { token: claim.token, epoch: claim.epoch } : null,
    fleet: fleet.known ? fleet.value : null,
    named: memory.named,
    leaving: [...leaving].sort(),
  };
  const key = JSON.stringify([
    content,
    Math.floor(ports.clock.now() / context.options.housekeepingIntervalMs),
  ]);
  if (key === memory.published) return;
  const value = encodePublished({ ...content, at: ports.clock.wallTime() });
  const done = await ports.admin.put(endpoint, PUBLISHED_KEY, value, { fence }, signal);
  if (done.known && done.value) memory.published = key;
}

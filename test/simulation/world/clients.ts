import { namesOf } from '../../../src/core/names.ts';
import { clientUrl } from '../../../src/core/urls.ts';
import type { SeededRandom } from '../../fakes/seeded-random.ts';
import { createSeededRandom } from '../../fakes/seeded-random.ts';
import { clientOf, missingKeys } from './cluster.ts';
import { CLUSTER } from './names.ts';
import type { World } from './world.ts';

const ADDRESSES = namesOf(CLUSTER).cluster;
const CLIENTS = 2;

/** How often a client reads what it wrote last, rather than write. */
const READ_CHANCE = 0.3;

/** Clients outside the fleet: they find the cluster by its names, write, and read what was acknowledged. */
export interface Clients {
  /** Reads all that was ever acknowledged, of the cluster with this id, as its leader has it. */
  readAll(clusterId: string | null): void;
}

/** Clients that write and read until the world ends. */
export function openClients(world: World): Clients {
  const acknowledged: string[] = [];
  for (let number = 1; number <= CLIENTS; number += 1) {
    const random = createSeededRandom(world.plot.seed ^ Math.imul(number, 0x85eb_ca6b));
    runClient(world, { name: `client-${number}`, random, acknowledged });
  }
  return {
    readAll(clusterId) {
      const missing = missingKeys(world, clusterId, acknowledged);
      if (missing === null) return;
      const beganAtMs = world.clock.now();
      for (const key of acknowledged)
        world.tell({ kind: 'read', key, count: missing.includes(key) ? null : 1, beganAtMs });
    },
  };
}

interface Client {
  readonly name: string;
  readonly random: SeededRandom;
  /** Of all clients. Every write has a key of its own: one that was given up may be written late. */
  readonly acknowledged: string[];
}

function runClient(world: World, client: Client): void {
  const { random, name, acknowledged } = client;
  const etcd = clientOf(world, name);
  let count = 0;
  let last: string | null = null;
  const again = (): void => {
    const longestMs = world.plot.writeEveryMs;
    world.clock.after(random.int(Math.ceil(longestMs / 5), longestMs), turn);
  };
  const turn = (): void => {
    const addresses = addressesOf(world);
    const address = addresses[Math.floor(random.fraction() * addresses.length)];
    const reads = random.chance(READ_CHANCE);
    if (address === undefined) again();
    else void (reads ? read(clientUrl(address)) : write(clientUrl(address))).then(again);
  };
  const write = async (endpoint: string): Promise<void> => {
    count += 1;
    const key = `${name}/${count}`;
    const put = await etcd.put(endpoint, key, world.clock.wallTime());
    if (!put.known) return;
    last = key;
    acknowledged.push(key);
    world.tell({ kind: 'written', key, count: 1 });
  };
  const read = async (endpoint: string): Promise<void> => {
    const key = last;
    if (key === null) return;
    const beganAtMs = world.clock.now();
    const got = await etcd.get(endpoint, key, { serializable: false });
    if (got.known) world.tell({ kind: 'read', key, count: got.value === null ? null : 1, beganAtMs });
  };
  again();
}

/** What a resolver says. */
function addressesOf(world: World): readonly string[] {
  const records = world.zone.records();
  return records.find((it) => it.name === ADDRESSES && it.type === 'A')?.values ?? [];
}

import { isIP } from 'node:net';
import { inspect } from 'node:util';
import type { Ec2State } from '../core/fleet.ts';
import { known, unknown } from '../core/known.ts';
import type { Known } from '../core/known.ts';
import type { Ec2Calls } from './calls.ts';
import { pagesOf } from './pages.ts';

/** An instance as EC2 describes it. */
export interface Ec2Instance {
  /** Null where EC2 says a word that we do not know. */
  readonly state: Ec2State | null;
  /** Private address. */
  readonly address: string | null;
  readonly publicAddress: string | null;
  /** Ids. */
  readonly securityGroups: readonly string[];
  readonly tags: ReadonlyMap<string, string>;
}

/** EC2 takes 200 values in one filter. */
const MOST_IDS = 200;

/**
 * Describes instances by their ids. Asked by filter: asked by InstanceIds, one unknown id makes the whole call fail.
 * What EC2 does not know is not in the answer. `witness` is an instance that is there for certain (the asking one):
 * an answer that does not show it is unknown, each chunk of ids by itself.
 */
export async function describeInstances(
  ec2: Ec2Calls,
  region: string,
  ids: readonly string[],
  witness: string | null,
  signal: AbortSignal,
): Promise<Known<ReadonlyMap<string, Ec2Instance>>> {
  const found = new Map<string, Ec2Instance>();
  const rest = [...new Set(ids)].filter((id) => id !== witness);
  const always = witness === null ? [] : [witness];
  const size = MOST_IDS - always.length;
  for (let start = 0; start === 0 || start < rest.length; start += size) {
    const asked = [...always, ...rest.slice(start, start + size)];
    if (asked.length === 0) break;
    const chunk = await describeChunk(ec2, region, asked, signal);
    if (!chunk.known) return chunk;
    if (witness !== null && !chunk.value.has(witness)) {
      return unknown(`EC2's answer in ${region} does not show the asking instance ${witness}`);
    }
    for (const [id, instance] of chunk.value) found.set(id, instance);
  }
  return known(found);
}

async function describeChunk(
  ec2: Ec2Calls,
  region: string,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<Known<ReadonlyMap<string, Ec2Instance>>> {
  const found = new Map<string, Ec2Instance>();
  const question = { Filters: [{ Name: 'instance-id', Values: [...ids] }] };
  const pages = pagesOf(
    `EC2 in ${region}`,
    async (start) => await ec2.describeInstances({ ...question, ...start }, signal),
    signal,
  );
  for await (const page of pages) {
    if (!page.known) return page;
    for (const instance of (page.value.Reservations ?? []).flatMap(
      (reservation) => reservation.Instances ?? [],
    )) {
      if (instance.InstanceId === undefined)
        return unknown(`EC2 in ${region} describes an instance without an id`);
      const address = instance.PrivateIpAddress ?? null;
      const publicAddress = instance.PublicIpAddress ?? null;
      // They become part of URLs and of records: what is no address is no answer.
      const wrong = [address, publicAddress].find((it) => it !== null && isIP(it) === 0);
      if (wrong != null) {
        return unknown(
          `EC2 in ${region} describes ${instance.InstanceId} with the address ${inspect(wrong.slice(0, 80))}`,
        );
      }
      found.set(instance.InstanceId, {
        state: stateOf(instance.State?.Name),
        address,
        publicAddress,
        securityGroups: (instance.SecurityGroups ?? []).flatMap(({ GroupId }) => GroupId ?? []),
        tags: new Map((instance.Tags ?? []).map((tag) => [tag.Key ?? '', tag.Value ?? ''])),
      });
    }
  }
  return known(found);
}

function stateOf(name: string | undefined): Ec2State | null {
  switch (name) {
    case 'pending':
    case 'running':
    case 'shutting-down':
    case 'terminated':
    case 'stopping':
    case 'stopped':
      return name;
    case undefined:
    default:
      return null;
  }
}

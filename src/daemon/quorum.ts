import type { QuorumAnswer, Refusal } from '../core/start.ts';
import { isRefused, type Known, known, unknown } from '../core/known.ts';
import type { MemberList } from '../core/members.ts';
import type { Ports } from './ports.ts';
import { openScope } from './scope.ts';

/** A key that nobody writes: reading it linearizably proves a quorum, on every version of etcd. */
const PROBE_KEY = '_appliance/none';

/** Whose answer is wanted, and how long is waited for it beyond the deadlines of the calls. */
export interface Wanted {
  readonly clusterId: string | null;
  readonly preferred: string | null;
  /** Null: as long as the calls take. */
  readonly limitMs: number | null;
}

interface Heard {
  readonly endpoint: string;
  readonly list: MemberList;
}

/**
 * Asks all endpoints at once for a linearizable answer. Where `clusterId` is given, only that cluster's answer counts, and
 * others are named as foreign; `preferred` wins over another cluster's answer. 3.4 answers a linearizable member list from
 * its own memory without a quorum, hence the read beside it. Who lets nobody in is named as that, and not taken for silent.
 */
export async function askQuorum(
  ports: Pick<Ports, 'admin' | 'clock'>,
  endpoints: readonly string[],
  wanted: Wanted,
  signal: AbortSignal,
): Promise<QuorumAnswer> {
  const heard: Heard[] = [];
  const foreign: string[] = [];
  const refused: Refusal[] = [];
  const scope = openScope(signal);
  const isBest = (it: Heard): boolean => wanted.preferred === null || it.list.clusterId === wanted.preferred;
  await new Promise<void>((resolve) => {
    let open = endpoints.length;
    if (open === 0) resolve();
    if (wanted.limitMs !== null)
      void ports.clock.sleep(wanted.limitMs, scope.signal).then(resolve, () => undefined);
    for (const endpoint of endpoints) {
      void hear(ports, endpoint, scope.signal).then((answer) => {
        open -= 1;
        if (isRefused(answer)) refused.push({ endpoint, reason: answer.reason });
        if (answer.known) {
          const { clusterId } = answer.value.list;
          const isForeign = wanted.clusterId !== null && clusterId !== wanted.clusterId;
          if (isForeign) foreign.push(clusterId);
          else heard.push(answer.value);
          if (!isForeign && isBest(answer.value)) resolve();
        }
        if (open === 0) resolve();
      });
    }
  });
  // The first good answer suffices: a frozen member must not hold up the others.
  scope.end();
  signal.throwIfAborted();
  const best = heard.find(isBest) ?? heard[0];
  if (best !== undefined) return { kind: 'answers', ...best };
  return {
    kind: 'nobody',
    foreign: [...new Set(foreign)].sort(),
    refused: refused.toSorted((one, other) => (one.endpoint < other.endpoint ? -1 : 1)),
  };
}

async function hear(
  ports: Pick<Ports, 'admin'>,
  endpoint: string,
  signal: AbortSignal,
): Promise<Known<Heard>> {
  try {
    const read = await ports.admin.read(endpoint, PROBE_KEY, { serializable: false }, signal);
    if (!read.known) return read;
    const list = await ports.admin.memberList(endpoint, { linearizable: true }, signal);
    return list.known ? known({ endpoint, list: list.value }) : list;
  } catch {
    // Only an abort throws here: another endpoint was faster, or the caller gave up and throws itself.
    return unknown('nobody waits for it');
  }
}

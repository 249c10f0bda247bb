import { setTimeout as delay } from 'node:timers/promises';
import { type Claim, readClaim } from '../../src/core/claim.ts';
import type { MemberList } from '../../src/core/members.ts';
import { namesOf } from '../../src/core/names.ts';
import type { EtcdAdmin } from '../../src/etcd/admin.ts';
import { clientUrl, peerUrl } from '../../src/etcd/flags.ts';
import { textOf } from './fields.ts';
import type { Place } from './place.ts';

const LOOK_MS = 200;

/** What was seen of a cluster over its whole life; each answer but the first is empty where all is well. */
export interface Watch {
  /** Cluster ids under which any etcd answered a linearizable read. */
  readonly clusterIds: () => readonly string[];
  /** Tokens of all epochs that were ever marked as formed. */
  readonly formedTokens: () => readonly string[];
  /** The claim as it stands. */
  readonly claim: () => Claim | null;
  /** Client and server records that stood once and then did not, with when. */
  readonly emptied: () => readonly string[];
  /** Members, or of them those that ever voted, that were removed though their instance neither ended nor lost its disk. */
  readonly unjustified: (of: 'all' | 'voters') => readonly string[];
  /** Ids of members that were seen and are no more. */
  readonly removed: () => readonly string[];
  readonly stop: () => Promise<void>;
}

/** Watches Route 53 by the sandbox's event log, without a gap, and the members by asking each of them all the time. */
export function startWatch(sandbox: Place, admin: EtcdAdmin): Watch {
  const records = watchRecords(sandbox);
  const members = watchMembers(sandbox, admin);
  return { ...records, ...members };
}

function watchRecords(sandbox: Place): Pick<Watch, 'claim' | 'formedTokens' | 'emptied'> {
  const { cloud, addresses } = sandbox;
  const names = namesOf(addresses.clusterName);
  const sets = [
    `${names.cluster} A`,
    `${names.server} A`,
    ...[names.srvServer, ...names.srvClient].map((name) => `${name} SRV`),
  ];
  const stood = new Set<string>();
  const emptied: string[] = [];
  const tokens = new Set<string>();
  let claim: Claim | null = null;

  const look = (atMs: number): void => {
    const present = new Map(
      cloud
        .describe()
        .zones.flatMap(({ records }) => records)
        .map((it) => [`${it.name.replace(/\.$/, '')} ${it.type}`, it.values]),
    );
    for (const set of sets) {
      if ((present.get(set)?.length ?? 0) > 0) stood.add(set);
      else if (stood.has(set)) emptied.push(`${set} at ${new Date(atMs).toISOString()}`);
    }
    const values = present.get(`${names.claim} TXT`) ?? [];
    const standing = values.length === 0 ? [] : [{ name: names.claim, type: 'TXT' as const, ttl: 5, values }];
    const reading = readClaim(names.claim, standing);
    claim = reading.kind === 'claim' ? reading.claim : null;
    if (claim?.state === 'formed') tokens.add(claim.token);
  };
  cloud.events.subscribe(({ type, atMs }) => {
    // A batch is all or nothing, its events come one by one: looked at when all of them are there.
    if (type === 'record-change') queueMicrotask(() => look(atMs));
  });
  return { claim: () => claim, formedTokens: () => [...tokens], emptied: () => emptied };
}

function watchMembers(
  sandbox: Place,
  admin: EtcdAdmin,
): Pick<Watch, 'clusterIds' | 'unjustified' | 'removed' | 'stop'> {
  const stopping = new AbortController();
  const clusterIds = new Set<string>();
  /** Instance of every member that was ever seen. */
  const owners = new Map<string, string>();
  const voters = new Set<string>();
  /** Founders that nobody has seen started: where the claim cannot be read they join anew, and nothing is lost. */
  const unborn = new Set<string>();
  let last: MemberList | null = null;

  const note = (list: MemberList): void => {
    clusterIds.add(list.clusterId);
    last = list;
    const { instances } = sandbox.cloud.describe();
    for (const { id, name, peerUrls, clientUrls, learner } of list.members) {
      const isUnborn = !learner && clientUrls.length === 0 && !voters.has(id);
      if (isUnborn) unborn.add(id);
      else unborn.delete(id);
      if (!learner && !isUnborn) voters.add(id);
      // An address may be a predecessor's: of those that had it, the last.
      const at = instances.findLast(({ address, publicAddress }) =>
        peerUrls.includes(peerUrl(publicAddress ?? address)),
      );
      const owner = name === '' ? at?.instanceId : name;
      if (owner !== undefined && (name !== '' || !owners.has(id))) owners.set(id, owner);
    }
  };
  const look = async (): Promise<void> => {
    const running = sandbox.cloud.describe().instances.filter(({ state }) => state !== 'terminated');
    const answers = await Promise.all(
      running.map(({ address }) =>
        admin.memberList(clientUrl(address), { linearizable: true }, stopping.signal),
      ),
    );
    for (const answer of answers) if (answer.known) note(answer.value);
  };
  const watch = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await look();
      await delay(LOOK_MS, undefined, { signal: stopping.signal });
    }
  };
  const watching = watch().catch((error: unknown) => {
    if (!stopping.signal.aborted) throw error;
  });

  const removed = (): readonly string[] => {
    const present = new Set(last?.members.map(({ id }) => id));
    return [...owners.keys()].filter((id) => !present.has(id));
  };
  const unjustified: Watch['unjustified'] = (of) => {
    const left = countEnds(sandbox);
    const judged = removed().filter((id) => voters.has(id) || (of === 'all' && !unborn.has(id)));
    return judged.flatMap((id) => {
      const owner = owners.get(id) ?? '';
      const ends = left.get(owner) ?? 0;
      left.set(owner, ends - 1);
      return ends > 0 ? [] : [`member ${id} of ${owner}`];
    });
  };
  return {
    clusterIds: () => [...clusterIds],
    removed,
    unjustified,
    stop: async () => {
      stopping.abort();
      await watching;
    },
  };
}

/** How many members of each instance may be removed: one for each disk that it lost, and one for its end. */
function countEnds({ cloud }: Place): Map<string, number> {
  const ends = new Map<string, number>();
  const over = new Set<string>();
  for (const { type, fields } of cloud.events.since(0)) {
    const id = textOf(fields, 'instanceId');
    const state = textOf(fields, 'state');
    const leaves =
      (type === 'instance-state' && state === 'shutting-down') ||
      (type === 'lifecycle-state' && state.startsWith('Terminating'));
    if (type === 'data-wiped' || type === 'data-damaged') ends.set(id, (ends.get(id) ?? 0) + 1);
    if (leaves && !over.has(id)) {
      over.add(id);
      ends.set(id, (ends.get(id) ?? 0) + 1);
    }
  }
  return ends;
}

import { hostOf, peerUrl } from '../../../src/core/urls.ts';
import type { EtcdStart, IdsPort } from '../../../src/daemon/ports.ts';
import type { EtcdFiles } from './files.ts';
import { createEtcdFiles } from './files.ts';
import type { Change } from './state.ts';
import { whyNotJoined } from './versions.ts';
import type { EtcdNetwork, EtcdProcess } from './node.ts';

/** What a start needs of the world. */
interface Surroundings {
  readonly ids: IdsPort;
  readonly network: EtcdNetwork;
  readonly processes: ReadonlyMap<string, EtcdProcess>;
  readonly now: number;
}

type Initial = NonNullable<EtcdStart['initial']>;

/** The directory of an etcd that begins: its log has no entry yet, and the additions of the founders will be the first. */
interface Beginning {
  readonly files: EtcdFiles;
  readonly founders: readonly Change[];
}

/** What an etcd without data makes of its initial flags: how it begins, or the words with which it ends. */
export function beginningOf(world: Surroundings, process: EtcdProcess, initial: Initial): Beginning | string {
  const own = peerUrl(process.address);
  const urls = initial.cluster.map((it) => it.peerUrl);
  if (!urls.includes(own)) return "couldn't find local name in the initial cluster configuration";
  return initial.state === 'new' ? found(world, process, initial) : join(world, process, urls);
}

function found(world: Surroundings, process: EtcdProcess, initial: Initial): Beginning | string {
  const { token, cluster } = initial;
  const urls = cluster.map((it) => it.peerUrl);
  const memberId = world.ids.memberId(peerUrl(process.address), token);
  // It asks the others whether it was here before; where none answers, it was not.
  const known = answering(world, process, urls)[0]?.state.members.get(memberId);
  if (known !== undefined && known.clientUrls.length > 0)
    return `member ${memberId} has already been bootstrapped`;
  // All founders write the same log.
  const founders = cluster.toSorted((a, b) => (a.peerUrl < b.peerUrl ? -1 : 1));
  const changes = founders.map(({ name, peerUrl: url }) => ({
    kind: 'add' as const,
    member: {
      id: world.ids.memberId(url, token),
      name,
      peerUrls: [url],
      clientUrls: [],
      learner: false,
    },
  }));
  return { files: createEtcdFiles(world.ids.clusterId(urls, token), memberId), founders: changes };
}

function join(world: Surroundings, process: EtcdProcess, urls: readonly string[]): Beginning | string {
  const [there] = answering(world, process, urls);
  if (there === undefined) return 'could not retrieve cluster information from the given URLs';
  const members = [...there.state.members.values()];
  if (members.length !== urls.length) return 'error validating peerURLs: member count is unequal';
  const unmatched = members.find((it) => !it.peerUrls.every((url) => urls.includes(url)));
  if (unmatched !== undefined) return `error validating peerURLs: no match found for ${unmatched.id}`;
  const own = members.find((it) => it.peerUrls.includes(peerUrl(process.address)));
  if (own === undefined) return 'not a member';
  const unfit = whyNotJoined(process.version, answering(world, process, urls));
  return unfit ?? { files: createEtcdFiles(there.clusterId, own.id), founders: [] };
}

/** A joiner asks one member after the other for the list, and then all for their versions; so long for a mute one; ms. */
const LIST_MS = 10_000;
const VERSION_MS = 7_000;

/** How long a start at this address takes that joins a cluster some of whose members are mute or cut off; ms. */
export function muteMs(
  { network, processes, now }: Surroundings,
  from: string,
  initial: Initial | null,
): number {
  if (initial?.state !== 'existing') return 0;
  const others = initial.cluster.map((it) => hostOf(it.peerUrl)).filter((it) => it !== from);
  const mute = others.map(
    (to) =>
      isMute(processes.get(to), now) ||
      !network.reaches(from, to, 'peer') ||
      !network.reaches(to, from, 'peer'),
  );
  const asked = mute.indexOf(false);
  return (
    LIST_MS * mute.slice(0, asked < 0 ? mute.length : asked).filter(Boolean).length +
    (asked < 0 ? 0 : VERSION_MS * mute.filter(Boolean).length)
  );
}

/** Who is frozen, or reads its database for long yet, takes a connection and says nothing. */
function isMute(process: EtcdProcess | undefined, now: number): boolean {
  return process !== undefined && (process.frozen || process.bootsAt - now >= LIST_MS);
}

/** Whoever of them answers on its peer port, quorum or not, with what it has of the cluster. */
function answering(
  { network, processes }: Surroundings,
  process: EtcdProcess,
  urls: readonly string[],
): readonly EtcdFiles[] {
  const from = process.address;
  return urls.flatMap((url) => {
    const to = hostOf(url);
    const other = to === from ? undefined : processes.get(to);
    if (other === undefined || other.frozen || other.files === null) return [];
    return network.reaches(from, to, 'peer') && network.reaches(to, from, 'peer') ? [other.files] : [];
  });
}

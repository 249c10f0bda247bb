import { access, constants, readdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { execa } from 'execa';
import { ApplianceError } from '../errors.ts';
import type { Machine } from './model.ts';

/** From what an instance is cut off, for real: packets are dropped both ways, and nothing is answered. */
export interface NetworkCut {
  /** All other instances, or only those with these addresses, or in these address ranges. */
  readonly peers: 'all' | readonly string[];
  /** The AWS endpoint and the instance's metadata. */
  readonly aws: boolean;
}

/** What connects the machines. */
export interface MachineNetwork {
  /** First two octets of every address: `127.78`. */
  readonly prefix: string;
  /** Whether machines can be cut off from each other. */
  readonly partitions: boolean;
  readonly attach: (machine: Machine) => Promise<void>;
  readonly detach: (machine: Machine) => Promise<void>;
  /** The command that runs `command` where the machine is. */
  readonly wrap: (machine: Machine, command: readonly string[]) => readonly string[];
  /** Replaces what the instance was cut off from before. Throws where `partitions` is false. */
  readonly cut: (instanceId: string, cut: NetworkCut) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** What a namespace's name starts with; what follows is the sandbox's id, so that leftovers can be told. */
export const NAMESPACE_PREFIX = 'etcdsbx';

/** The one line that refuses a partition on loopback. */
export const NO_PARTITIONS =
  'instances on loopback cannot be cut off from each other: start the sandbox with --namespaces (root on Linux)';

/** All machines on loopback, each on its address of 127.0.0.0/8. Who connects cannot be told there, so nothing can be cut. */
export function createLoopbackNetwork(prefix: string): MachineNetwork {
  return {
    prefix,
    partitions: false,
    attach: async () => {},
    detach: async () => {},
    wrap: (_machine, command) => command,
    cut: () => Promise.reject(new ApplianceError({ code: 'usage' }, NO_PARTITIONS)),
    close: async () => {},
  };
}

export interface NamespaceOptions {
  /** Name of the namespace in which this process runs. */
  readonly hub: string;
  readonly prefix: string;
  /** TCP port of the AWS endpoint on `<prefix>.0.1`. */
  readonly awsPort: number;
}

/** Where every machine finds its metadata, as on EC2. */
export const METADATA_ADDRESS = '169.254.169.254';
/**
 * Behind these ports of `<prefix>.0.1` are the machines' metadata, one port each; no client's own port is that low (Linux
 * begins at 32768). They are enough for eight regions (`regionPlaces`).
 */
const METADATA_PORTS = { first: 10_000, last: 30_479 } as const;

/** Where the metadata of the machine with this address listen in the hub: its own 169.254.169.254 leads there. */
export function metadataPort(address: string): number {
  const [, , third = 0, fourth = 0] = address.split('.').map(Number);
  return METADATA_PORTS.first + third * 256 + fourth;
}
const BRIDGE = 'br0';
/**
 * Its own: without one a bridge has the lowest address among its ports, another one as machines come and go, and those that are
 * there go on sending to the old one, for up to a minute.
 */
const BRIDGE_MAC = '02:00:00:00:00:01';

/**
 * A network namespace per machine, on a bridge in the hub namespace, in which this process must already be (see
 * `createHub`). Nothing of it touches the machine's own network: `<prefix>.0.1` and .2 are ours, the rest the machines'.
 */
export async function createNamespaceNetwork(options: NamespaceOptions): Promise<MachineNetwork> {
  const { hub, prefix } = options;
  const present = new Map<string, { readonly namespace: string; readonly publicAddress: string | null }>();
  let links = 0;
  await ip(null, [
    'link set lo up',
    `link add ${BRIDGE} address ${BRIDGE_MAC} type bridge`,
    `addr add ${prefix}.0.1/16 dev ${BRIDGE}`,
    `addr add ${prefix}.0.2/16 dev ${BRIDGE}`,
    `link set ${BRIDGE} up`,
  ]);

  return {
    prefix,
    partitions: true,
    attach: async ({ instanceId, address, publicAddress }) => {
      const namespace = `${hub}-${instanceId}`;
      present.set(instanceId, { namespace, publicAddress });
      links += 1;
      const link = `m${links}`;
      await ip(null, [
        `netns add ${namespace}`,
        `link add ${link} type veth peer name eth0 netns ${namespace}`,
        `link set ${link} master ${BRIDGE} up`,
        // A public address is no machine's own: it is here, and translated.
        ...(publicAddress === null ? [] : [`addr add ${publicAddress}/32 dev ${BRIDGE}`]),
      ]);
      await ip(namespace, [
        'link set lo up',
        `addr add ${address}/16 dev eth0`,
        'link set eth0 up',
        `route add ${METADATA_ADDRESS} dev eth0`,
      ]);
      const target = `${prefix}.0.1:${metadataPort(address)}`;
      const nat = `-A OUTPUT -d ${METADATA_ADDRESS} -p tcp --dport 80 -j DNAT --to-destination ${target}`;
      await restoreRules(namespace, ['*nat', nat, 'COMMIT', '']);
    },
    detach: async ({ instanceId }) => {
      const machine = present.get(instanceId);
      present.delete(instanceId);
      if (machine === undefined) return;
      await deleteNamespace(machine.namespace);
      if (machine.publicAddress !== null)
        await ip(null, [`addr delete ${machine.publicAddress}/32 dev ${BRIDGE}`]);
    },
    wrap: ({ instanceId }, command) => inNamespace(`${hub}-${instanceId}`, command),
    cut: async (instanceId, cut) => {
      const machine = present.get(instanceId);
      if (machine === undefined) throw new Error(`instance ${instanceId} is not on the network`);
      await restoreRules(machine.namespace, cutRules(cut, { prefix, awsPort: options.awsPort }));
    },
    close: async () => {
      const all = [...present.values()];
      present.clear();
      await Promise.all(all.map(({ namespace }) => deleteNamespace(namespace)));
      await ip(null, [`link delete ${BRIDGE}`]);
    },
  };
}

/** Replaces one table of a namespace's packet filter in one step. */
async function restoreRules(namespace: string, lines: readonly string[]): Promise<void> {
  const [program = '', ...args] = inNamespace(namespace, ['iptables-restore', '-w']);
  await execa(program, args, { input: lines.join('\n') });
}

/** The whole packet filter of a machine, as lines for iptables-restore. */
export function cutRules(
  cut: NetworkCut,
  net: { readonly prefix: string; readonly awsPort: number },
): readonly string[] {
  const metadata = `${METADATA_PORTS.first}:${METADATA_PORTS.last}`;
  const aws = [net.awsPort, metadata].flatMap((ports) => [
    `-A INPUT -s ${net.prefix}.0.1 -p tcp --sport ${ports} -j DROP`,
    `-A OUTPUT -d ${net.prefix}.0.1 -p tcp --dport ${ports} -j DROP`,
  ]);
  // The sandbox itself stays reachable: an operator's client is no peer.
  const everyPeer = [
    `-A INPUT -s ${net.prefix}.0.0/24 -j ACCEPT`,
    `-A OUTPUT -d ${net.prefix}.0.0/24 -j ACCEPT`,
    `-A INPUT -s ${net.prefix}.0.0/16 -j DROP`,
    `-A OUTPUT -d ${net.prefix}.0.0/16 -j DROP`,
  ];
  const peers =
    cut.peers === 'all'
      ? everyPeer
      : cut.peers.flatMap((peer) => [`-A INPUT -s ${peer} -j DROP`, `-A OUTPUT -d ${peer} -j DROP`]);
  return [
    '*filter',
    ':INPUT ACCEPT [0:0]',
    ':FORWARD ACCEPT [0:0]',
    ':OUTPUT ACCEPT [0:0]',
    '-A INPUT -i lo -j ACCEPT',
    '-A OUTPUT -o lo -j ACCEPT',
    ...(cut.aws ? aws : []),
    ...peers,
    'COMMIT',
    '',
  ];
}

/** `command`, run inside a namespace. Only the network is another one: files and processes are the same. */
export function inNamespace(namespace: string, command: readonly string[]): readonly string[] {
  return ['nsenter', `--net=/run/netns/${namespace}`, '--', ...command];
}

/** Makes the namespace that a sandbox's own process runs in (`inNamespace(hub, …)`). Throws one line where it cannot be. */
export async function createHub(hub: string, searchPath: string): Promise<void> {
  await refuseWithoutNamespaces(searchPath);
  await ip(null, [`netns add ${hub}`]);
}

/** Deletes a hub and every machine's namespace of it. What still runs in them is not ended by this. */
export async function deleteHub(hub: string): Promise<void> {
  const names = await readdir('/run/netns').catch(() => []);
  const ours = names.filter((name) => name === hub || name.startsWith(`${hub}-`));
  await Promise.all(ours.map(deleteNamespace));
}

async function refuseWithoutNamespaces(searchPath: string): Promise<void> {
  const refuse = (reason: string): never => {
    throw new ApplianceError(
      { code: 'unavailable', service: 'network namespaces' },
      `no network namespaces here: ${reason}`,
    );
  };
  if (process.platform !== 'linux') refuse(`they need Linux, and this is ${process.platform}`);
  if (process.getuid?.() !== 0) refuse('they need root');
  for (const tool of ['ip', 'nsenter', 'iptables-restore']) {
    if (!(await isOnPath(tool, searchPath)))
      refuse(`${tool} is missing: install iproute2, util-linux and iptables`);
  }
}

async function isOnPath(tool: string, searchPath: string): Promise<boolean> {
  const tries = searchPath
    .split(delimiter)
    .map((folder) => access(join(folder, tool), constants.X_OK).then(() => true));
  return Promise.any(tries).catch(() => false);
}

async function ip(namespace: string | null, lines: readonly string[]): Promise<void> {
  const where = namespace === null ? [] : ['-n', namespace];
  await execa('ip', [...where, '-batch', '-'], { input: `${lines.join('\n')}\n` });
}

async function deleteNamespace(namespace: string): Promise<void> {
  await execa('ip', ['netns', 'delete', namespace], { reject: false });
}

import { isIPv6 } from 'node:net';
import { compareVersions } from './releases.ts';

/** Ports that every member uses. */
export const CLIENT_PORT = 2379;
export const PEER_PORT = 2380;

/** What one start of etcd is to be. */
export interface EtcdFlagSettings {
  readonly name: string;
  /** etcd's own data directory. */
  readonly dataDirectory: string;
  /** Address that other members and clients are told. */
  readonly address: string;
  /** Address that it listens on; mostly the same. */
  readonly listenAddress: string;
  /** Null: data are there, and etcd takes its membership from them. */
  readonly initial: {
    readonly state: 'new' | 'existing';
    readonly cluster: readonly { readonly name: string; readonly peerUrl: string }[];
    readonly token: string;
  } | null;
  /** Entries after which etcd takes a raft snapshot; null: the operator's, or etcd's own (100000, from 3.6 on 10000). */
  readonly snapshotCount: number | null;
  /** Null: the operator's, or etcd's own (100 and 1000). */
  readonly timing: { readonly heartbeatMs: number; readonly electionMs: number } | null;
  /** Below `info` etcd says too little: that a member was removed is a warning, why it waits is information. */
  readonly logLevel: 'debug' | 'info';
  /** The operator's, each `--flag` or `--flag=value`; none of them one of `collidingFlags`. */
  readonly extra: readonly string[];
}

/** `http://<address>:2379`, with brackets around IPv6. */
export function clientUrl(address: string): string {
  return urlOf(address, CLIENT_PORT);
}

/** `http://<address>:2380`, with brackets around IPv6. */
export function peerUrl(address: string): string {
  return urlOf(address, PEER_PORT);
}

/**
 * The command line of etcd, spelled for the version of the binary that it is for: an unknown flag ends etcd, and a
 * deprecated one warns (table in etcd's documentation of 3.4 to 3.7, each tried with the binary). No flag is passed
 * that has the right default, except where versions differ in it.
 */
export function etcdFlags(version: string, settings: EtcdFlagSettings): readonly string[] {
  const { ours: gates, rest } = withGates(featureGates(version), knownTo(version, settings.extra));
  return [
    `--name=${settings.name}`,
    `--data-dir=${settings.dataDirectory}`,
    `--listen-peer-urls=${peerUrl(settings.listenAddress)}`,
    `--listen-client-urls=${clientUrl(settings.listenAddress)}`,
    `--initial-advertise-peer-urls=${peerUrl(settings.address)}`,
    `--advertise-client-urls=${clientUrl(settings.address)}`,
    ...initialFlags(settings),
    '--strict-reconfig-check=true',
    // Off by default on 3.4, and missing in the help of 3.5.
    '--pre-vote=true',
    // 3.4 writes lines of its own making otherwise; later versions know only this one.
    ...(isBefore(version, '3.5.0') ? ['--logger=zap'] : []),
    `--log-level=${settings.logLevel}`,
    ...timingFlags(settings),
    ...checkFlags(version),
    ...(gates.length > 0 ? [`--feature-gates=${gates.join(',')}`] : []),
    ...(settings.snapshotCount === null
      ? rest
      : [
          ...rest.filter((flag) => nameOf(flag) !== SNAPSHOT_COUNT),
          `--${SNAPSHOT_COUNT}=${settings.snapshotCount}`,
        ]),
  ];
}

/**
 * The operator's flags without the one that is for old versions only: a cluster that still has clients of the old API
 * comes from 3.4, and the flag must be there before, and harmless after.
 */
function knownTo(version: string, extra: readonly string[]): readonly string[] {
  return isBefore(version, '3.6.0') ? extra : extra.filter((flag) => nameOf(flag) !== ENABLE_V2);
}

/** Whether an etcd that was started with these arguments serves the old API. Go's words for true, in any case. */
export function servesOldApi(args: readonly string[]): boolean {
  return args.some((flag) => nameOf(flag) === ENABLE_V2 && /^(|1|t|true)$/i.test(valueOf(flag)));
}

/** Up to 3.5; off by default. */
const ENABLE_V2 = 'enable-v2';

/** The two belong together, and etcd ends where they do not fit: where an operator gives one of them, neither is ours. */
function timingFlags({ timing, extra }: EtcdFlagSettings): readonly string[] {
  const isTiming = (flag: string): boolean =>
    ['heartbeat-interval', 'election-timeout'].includes(nameOf(flag));
  if (timing === null || extra.some(isTiming)) return [];
  return [`--heartbeat-interval=${timing.heartbeatMs}`, `--election-timeout=${timing.electionMs}`];
}

/** The same on all versions. */
const SNAPSHOT_COUNT = 'snapshot-count';

/**
 * With data, etcd ignores all of these. They are passed all the same: should the data be gone after all, etcd's default
 * would be a new cluster (law 1), and with `existing` and nobody to ask it ends instead.
 */
function initialFlags(settings: EtcdFlagSettings): readonly string[] {
  if (settings.initial === null) {
    return [
      `--initial-cluster=${settings.name}=${peerUrl(settings.address)}`,
      '--initial-cluster-state=existing',
      '--initial-cluster-token=none',
    ];
  }
  const { state, cluster, token } = settings.initial;
  return [
    `--initial-cluster=${cluster.map((member) => `${member.name}=${member.peerUrl}`).join(',')}`,
    `--initial-cluster-state=${state}`,
    `--initial-cluster-token=${token}`,
  ];
}

/*
 * Of the checks against corruption, the leader's comparison of hashes after each compaction is turned on. The other one,
 * which compares with the peers before a start, is left to the operator (ETCD_EXTRA_FLAGS). Measured: members of 3.6 and
 * 3.7 that start at the same time wait for each other in it, so that a cluster whose three etcds died at once serves
 * after 14 s instead of 0.5 s; and hashes of 3.4.23 and 3.5.35 may differ where data do not (etcd issue 18274).
 */

/** Up to 3.5 a flag of its own; from 3.6 on a feature gate. */
function checkFlags(version: string): readonly string[] {
  const known = !isBefore(version, COMPACT_HASH_CHECK_SINCE) && isBefore(version, '3.6.0');
  return known ? ['--experimental-compact-hash-check-enabled=true'] : [];
}

/** The first release with the check; 3.4 never got it. */
const COMPACT_HASH_CHECK_SINCE = '3.5.5';

const COMPACT_HASH_CHECK = 'CompactHashCheck';

function featureGates(version: string): readonly string[] {
  return isBefore(version, '3.6.0') ? [] : [`${COMPACT_HASH_CHECK}=true`];
}

/** etcd takes `--feature-gates` once, so the operator's gates join ours. */
function withGates(
  ours: readonly string[],
  extra: readonly string[],
): { readonly ours: readonly string[]; readonly rest: readonly string[] } {
  const isGates = (flag: string): boolean => nameOf(flag) === 'feature-gates';
  const theirs = extra.filter(isGates).flatMap((flag) => valueOf(flag).split(','));
  return {
    ours: [...ours, ...theirs.filter((gate) => gate !== '')],
    rest: extra.filter((flag) => !isGates(flag)),
  };
}

/** Flags that the appliance sets, and flags that take from it what it must decide. */
const RESERVED: ReadonlySet<string> = new Set([
  'name',
  'data-dir',
  'wal-dir',
  'listen-peer-urls',
  'listen-client-urls',
  'initial-advertise-peer-urls',
  'advertise-client-urls',
  'initial-cluster',
  'initial-cluster-state',
  'initial-cluster-token',
  'strict-reconfig-check',
  'pre-vote',
  // The appliance reads etcd's log: JSON lines on stderr.
  'logger',
  'log-level',
  'log-outputs',
  'log-output',
  'log-format',
  'log-package-levels',
  'debug',
  'enable-log-rotation',
  'log-rotation-config-json',
  'compact-hash-check-enabled',
  // Hides all the others from etcd.
  'config-file',
  // Another way to a membership.
  'force-new-cluster',
  'discovery',
  'discovery-endpoints',
  'discovery-token',
  'discovery-proxy',
  'discovery-fallback',
  'discovery-srv',
  'discovery-srv-name',
  'proxy',
  // A member that differs from the others in it makes the member lists differ for good.
  'max-learners',
  // What its writes leave behind nobody looks for before a step.
  'enable-v2v3',
  'v2-deprecation',
  // Appliances ask each member by its address, over HTTP at its client port, for its versions before they join or step.
  'host-whitelist',
  'listen-client-http-urls',
  'enable-grpc-gateway',
  'unsafe-no-fsync',
  'version',
  'help',
  'h',
]);

/** Those of the operator's flags that the appliance sets itself or must not let be set; each as it was given. */
export function collidingFlags(extra: readonly string[]): readonly string[] {
  return extra.filter((flag) => {
    const name = nameOf(flag);
    if (name === 'feature-gates') {
      return valueOf(flag)
        .split(',')
        .some((gate) => gate.startsWith(`${COMPACT_HASH_CHECK}=`));
    }
    return RESERVED.has(name);
  });
}

/** `corrupt-check-time` of `--experimental-corrupt-check-time=1h`: a flag has both names over the versions. */
function nameOf(flag: string): string {
  return flag
    .replace(/^--?/, '')
    .replace(/=.*$/s, '')
    .replace(/^experimental-/, '');
}

function valueOf(flag: string): string {
  return flag.includes('=') ? flag.slice(flag.indexOf('=') + 1) : '';
}

function isBefore(version: string, other: string): boolean {
  return compareVersions(version, other) < 0;
}

function urlOf(address: string, port: number): string {
  return `http://${isIPv6(address) ? `[${address}]` : address}:${port}`;
}

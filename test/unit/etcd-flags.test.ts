import { describe, expect, test } from 'vitest';
import { collidingFlags, etcdFlags, type EtcdFlagSettings } from '../../src/etcd/flags.ts';

const SETTINGS: EtcdFlagSettings = {
  name: 'i-0a',
  dataDirectory: '/data/etcd',
  address: '10.0.0.1',
  listenAddress: '10.0.0.1',
  initial: {
    state: 'new',
    token: 'abc',
    cluster: [
      { name: 'i-0a', peerUrl: 'http://10.0.0.1:2380' },
      { name: 'i-0b', peerUrl: 'http://10.0.0.2:2380' },
    ],
  },
  snapshotCount: null,
  timing: null,
  logLevel: 'info',
  extra: [],
};

const COMMON = [
  '--name=i-0a',
  '--data-dir=/data/etcd',
  '--listen-peer-urls=http://10.0.0.1:2380',
  '--listen-client-urls=http://10.0.0.1:2379',
  '--initial-advertise-peer-urls=http://10.0.0.1:2380',
  '--advertise-client-urls=http://10.0.0.1:2379',
  '--initial-cluster=i-0a=http://10.0.0.1:2380,i-0b=http://10.0.0.2:2380',
  '--initial-cluster-state=new',
  '--initial-cluster-token=abc',
  '--strict-reconfig-check=true',
  '--pre-vote=true',
];

const GATES = '--feature-gates=CompactHashCheck=true';

const GOLDEN: readonly { readonly version: string; readonly rest: readonly string[] }[] = [
  { version: '3.4.23', rest: ['--logger=zap', '--log-level=info'] },
  { version: '3.4.45', rest: ['--logger=zap', '--log-level=info'] },
  { version: '3.5.4', rest: ['--log-level=info'] },
  {
    version: '3.5.35',
    rest: ['--log-level=info', '--experimental-compact-hash-check-enabled=true'],
  },
  { version: '3.6.16', rest: ['--log-level=info', GATES] },
  { version: '3.7.3', rest: ['--log-level=info', GATES] },
];

describe('the flags of etcd', () => {
  test.each(GOLDEN)('are spelled for $version', ({ version, rest }) => {
    expect(etcdFlags(version, SETTINGS)).toEqual([...COMMON, ...rest]);
  });

  test.each([
    { extra: [], added: ['--heartbeat-interval=300', '--election-timeout=3000'] },
    {
      extra: ['--max-wals=3'],
      added: ['--heartbeat-interval=300', '--election-timeout=3000', '--max-wals=3'],
    },
    { extra: ['--heartbeat-interval=50'], added: ['--heartbeat-interval=50'] },
    { extra: ['--election-timeout=900'], added: ['--election-timeout=900'] },
  ])('carry a timing where one is given, and leave it to the operator with $extra', ({ extra, added }) => {
    const flags = (more: Partial<EtcdFlagSettings>) => etcdFlags('3.6.16', { ...SETTINGS, ...more });
    const timing = { heartbeatMs: 300, electionMs: 3_000 };
    expect(flags({ timing, extra }).filter((flag) => !flags({}).includes(flag))).toEqual(added);
  });

  test('let a member with data never begin a cluster, should the data be gone', () => {
    const flags = etcdFlags('3.6.16', { ...SETTINGS, initial: null });
    expect(flags).toContain('--initial-cluster-state=existing');
    expect(flags).toContain('--initial-cluster=i-0a=http://10.0.0.1:2380');
  });

  test('put IPv6 into brackets', () => {
    const flags = etcdFlags('3.6.16', { ...SETTINGS, address: 'fd00::1', listenAddress: '::' });
    expect(flags).toContain('--advertise-client-urls=http://[fd00::1]:2379');
    expect(flags).toContain('--listen-peer-urls=http://[::]:2380');
  });

  test("take the operator's, and join the feature gates", () => {
    const extra = ['--quota-backend-bytes=8589934592', '--feature-gates=LeaseCheckpoint=true'];
    expect(etcdFlags('3.7.3', { ...SETTINGS, extra }).slice(-2)).toEqual([
      `${GATES},LeaseCheckpoint=true`,
      '--quota-backend-bytes=8589934592',
    ]);
    expect(etcdFlags('3.5.35', { ...SETTINGS, extra: extra.slice(0, 1) }).at(-1)).toBe(extra[0]);
  });
});

test.each([
  { version: '3.4.23', takes: true },
  { version: '3.5.35', takes: true },
  { version: '3.6.16', takes: false },
  { version: '3.7.3', takes: false },
])('the old API of the operator`s is served by $version: $takes', ({ version, takes }) => {
  const extra = ['--enable-v2=true', '--quota-backend-bytes=1'];
  expect(collidingFlags(extra)).toEqual([]);
  const flags = etcdFlags(version, { ...SETTINGS, extra });
  expect(flags.includes('--enable-v2=true')).toBe(takes);
  expect(flags).toContain('--quota-backend-bytes=1');
});

describe('the count of a raft snapshot', () => {
  test.each(['3.4.23', '3.5.35', '3.6.16', '3.7.3'])(
    "is told to %s, and goes before the operator's",
    (version) => {
      const extra = ['--snapshot-count=5000', '--quota-backend-bytes=1'];
      const asked = etcdFlags(version, { ...SETTINGS, extra, snapshotCount: 3 });
      expect(asked.filter((flag) => flag.includes('snapshot-count'))).toEqual(['--snapshot-count=3']);
      expect(asked).toContain('--quota-backend-bytes=1');
      expect(etcdFlags(version, { ...SETTINGS, extra })).toContain('--snapshot-count=5000');
    },
  );
});

describe("the operator's flags that collide", () => {
  test.each([
    '--name=x',
    '-name=x',
    '--data-dir=/x',
    '--initial-cluster-state=new',
    '--force-new-cluster',
    '--config-file=/x',
    '--pre-vote=false',
    '--experimental-compact-hash-check-enabled',
    '--feature-gates=CompactHashCheck=false',
    '--feature-gates=A=true,CompactHashCheck=false',
    '--max-learners=2',
    '--experimental-max-learners=2',
    '--log-outputs=stdout',
    '--unsafe-no-fsync',
    '--enable-v2v3=true',
    '--v2-deprecation=write-only',
    '--host-whitelist=etcd.example',
    '--listen-client-http-urls=http://127.0.0.1:8080',
    '--enable-grpc-gateway=false',
  ])('%s', (flag) => {
    expect(collidingFlags(['--quota-backend-bytes=1', flag])).toEqual([flag]);
  });

  test('and those that do not', () => {
    expect(
      collidingFlags([
        '--quota-backend-bytes=1',
        '--snapshot-count=5000',
        '--auto-compaction-retention=1h',
        '--heartbeat-interval=200',
        '--feature-gates=LeaseCheckpoint=true',
        '--experimental-corrupt-check-time=1h',
        '--experimental-initial-corrupt-check=true',
        '--feature-gates=InitialCorruptCheck=true',
        '--listen-metrics-urls=http://127.0.0.1:2381',
      ]),
    ).toEqual([]);
  });
});

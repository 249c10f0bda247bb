import { describe, expect, test } from 'vitest';
import {
  createHub,
  createLoopbackNetwork,
  cutRules,
  inNamespace,
  metadataPort,
} from '../../src/sandbox/network.ts';
import { regionPlaces } from '../../src/sandbox/regions.ts';

const NET = { prefix: '10.78', awsPort: 4566 };
const FRAME = {
  head: [
    '*filter',
    ':INPUT ACCEPT [0:0]',
    ':FORWARD ACCEPT [0:0]',
    ':OUTPUT ACCEPT [0:0]',
    '-A INPUT -i lo -j ACCEPT',
    '-A OUTPUT -o lo -j ACCEPT',
  ],
  tail: ['COMMIT', ''],
};

describe('the packet filter of a machine', () => {
  test.for([
    { name: 'nothing', cut: { peers: [], aws: false }, rules: [] },
    {
      name: 'AWS, metadata with it',
      cut: { peers: [], aws: true },
      rules: [
        '-A INPUT -s 10.78.0.1 -p tcp --sport 4566 -j DROP',
        '-A OUTPUT -d 10.78.0.1 -p tcp --dport 4566 -j DROP',
        '-A INPUT -s 10.78.0.1 -p tcp --sport 10000:30479 -j DROP',
        '-A OUTPUT -d 10.78.0.1 -p tcp --dport 10000:30479 -j DROP',
      ],
    },
    {
      name: 'all peers, but not the operator',
      cut: { peers: 'all' as const, aws: false },
      rules: [
        '-A INPUT -s 10.78.0.0/24 -j ACCEPT',
        '-A OUTPUT -d 10.78.0.0/24 -j ACCEPT',
        '-A INPUT -s 10.78.0.0/16 -j DROP',
        '-A OUTPUT -d 10.78.0.0/16 -j DROP',
      ],
    },
    {
      name: 'one peer',
      cut: { peers: ['10.78.2.10'], aws: false },
      rules: ['-A INPUT -s 10.78.2.10 -j DROP', '-A OUTPUT -d 10.78.2.10 -j DROP'],
    },
  ])('cuts it off from $name', ({ cut, rules }) => {
    expect(cutRules(cut, NET)).toEqual([...FRAME.head, ...rules, ...FRAME.tail]);
  });

  test('drops AWS before it accepts the rest of the sandbox', () => {
    const rules = cutRules({ peers: 'all', aws: true }, NET);
    const drop = rules.indexOf('-A OUTPUT -d 10.78.0.1 -p tcp --dport 4566 -j DROP');
    expect(drop).toBeGreaterThan(0);
    expect(drop).toBeLessThan(rules.indexOf('-A OUTPUT -d 10.78.0.0/24 -j ACCEPT'));
  });
});

test('every address of eight regions has a metadata port of its own, within the range that a cut drops', () => {
  const hosts = Array.from({ length: 245 }, (_, index) => index + 10);
  const regions = Array.from({ length: 8 }, (_, index) => `eu-west-${index}`);
  const thirds = regionPlaces({ regions, network: '10.78' })
    .flatMap(({ addresses }) => addresses.ranges)
    .map((range) => Number(range.split('.')[2]))
    .filter((third) => third < 100);
  const ports = thirds.flatMap((third) => hosts.map((host) => metadataPort(`10.78.${third}.${host}`)));
  expect(ports).toHaveLength(8 * 3 * 245);
  expect(new Set(ports).size).toBe(ports.length);
  expect(Math.min(...ports)).toBeGreaterThanOrEqual(10_000);
  expect(Math.max(...ports)).toBeLessThanOrEqual(30_479);
});

test('a command is run in a namespace by its name', () => {
  expect(inNamespace('etcdsbx-a', ['ip', 'addr'])).toEqual([
    'nsenter',
    '--net=/run/netns/etcdsbx-a',
    '--',
    'ip',
    'addr',
  ]);
});

test('namespaces are refused in one line where the tools are missing', async () => {
  const refusal = await createHub('etcdsbx-never', '/nowhere').catch((error: unknown) => String(error));
  expect(refusal).toMatch(/^ApplianceError: no network namespaces here: [^\n]+$/);
});

test('on loopback nobody can be cut off from anybody', async () => {
  const network = createLoopbackNetwork('127.78');
  await expect(network.cut('i-1', { peers: 'all', aws: false })).rejects.toThrow(
    'start the sandbox with --namespaces',
  );
});

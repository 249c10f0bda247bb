import { describe, expect, test } from 'vitest';
import { phaseOf, whatIsMissing } from '../../src/cli/demo-view.ts';
import type { InstanceView, NamesView, Phase } from '../../src/cli/demo-view.ts';
import { renderEvent } from '../../src/cli/sandbox-text.ts';

function serving(id: string, voters: readonly string[]): InstanceView {
  return {
    instanceId: id,
    zone: 'eu-central-1a',
    address: `127.78.1.1${id}`,
    phase: 'serving',
    role: 'follower',
    raftIndex: 1,
    healthy: true,
    members: { voters, others: 0 },
  };
}

function names(...ids: readonly string[]): NamesView {
  const addresses = ids.map((id) => `127.78.1.1${id}`);
  return { addresses, clients: addresses, servers: addresses };
}

const PROCESS = { pid: 1, frozen: false };
const THREE = ['1', '2', '3'];
const WHOLE = THREE.map((id) => serving(id, THREE));

describe('what is missing', () => {
  test('is nothing where instances, members and names agree', () => {
    expect(whatIsMissing(3, WHOLE, names('1', '2', '3'))).toEqual([]);
  });

  const cases: readonly {
    name: string;
    instances: readonly InstanceView[];
    dns: NamesView;
    missing: RegExp[];
  }[] = [
    {
      name: 'an instance',
      instances: ['1', '2'].map((id) => serving(id, ['1', '2'])),
      dns: names('1', '2'),
      missing: [/^2 instances instead of 3$/],
    },
    {
      name: 'a linearizable answer',
      instances: [...WHOLE.slice(0, 2), { ...serving('3', THREE), phase: 'etcd starting', members: null }],
      dns: names('1', '2', '3'),
      missing: [/^no linearizable read through 3 \(etcd starting\)$/],
    },
    {
      name: 'the removal of an old member',
      instances: THREE.map((id) => serving(id, [...THREE, '9'])),
      dns: names('1', '2', '3'),
      missing: [/^1 lists/, /^2 lists/, /^3 lists/],
    },
    {
      name: 'the promotion of a learner',
      instances: [...WHOLE.slice(0, 2), { ...serving('3', THREE), members: { voters: THREE, others: 1 } }],
      dns: names('1', '2', '3'),
      missing: [/^3 lists other members/],
    },
    {
      name: 'an address in DNS',
      instances: WHOLE,
      dns: { ...names('1', '2', '3'), clients: ['127.78.1.11', '127.78.1.12'] },
      missing: [/^DNS clients are 127\.78\.1\.11 127\.78\.1\.12$/],
    },
    {
      name: 'all of DNS',
      instances: WHOLE,
      dns: names(),
      missing: [/addresses are none/, /clients are none/, /servers are none/],
    },
  ];

  test.for(cases)('names $name', ({ instances, dns, missing }) => {
    const found = whatIsMissing(3, instances, dns);
    expect(found).toHaveLength(missing.length);
    for (const [index, pattern] of missing.entries()) expect(found[index]).toMatch(pattern);
  });
});

test.for<[Phase, string, Partial<Parameters<typeof phaseOf>[1]>]>([
  ['launching', 'pending', {}],
  ['ending', 'shutting-down', { learner: false, healthy: true }],
  ['starting', 'running', {}],
  ['waiting', 'running', { machine: { appliance: PROCESS, etcd: null } }],
  ['etcd starting', 'running', { machine: { appliance: PROCESS, etcd: PROCESS } }],
  ['joining', 'running', { learner: true }],
  ['no quorum', 'running', { learner: false }],
  ['serving', 'running', { learner: false, healthy: true }],
])('an instance is %s', ([phase, state, seen]) => {
  expect(phaseOf(state, { healthy: false, learner: null, machine: undefined, ...seen })).toBe(phase);
});

test('an event is one line, however long its fields', () => {
  const line = renderEvent({
    seq: 7,
    atMs: Date.UTC(2026, 10, 21, 12, 0, 0, 5),
    type: 'record-change',
    fields: { name: 'demo', values: ['x'.repeat(500)], count: 2 },
  });
  expect(line).toMatch(/^ {4}7 12:00:00\.005 record-change name=demo values=\["x+… count=2$/);
  expect(line.length).toBeLessThan(200);
});

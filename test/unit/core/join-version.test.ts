import { describe, expect, it } from 'vitest';
import type { JoinVersionObservation } from '../../../src/core/join-version.ts';
import { joinVersion, whyNotJoinedAs } from '../../../src/core/join-version.ts';
import { IMAGE } from '../../fixtures/core/upgrade.ts';

function seen(more: Partial<JoinVersionObservation> = {}): JoinVersionObservation {
  return {
    installed: IMAGE,
    wanted: null,
    clusterVersion: '3.5.0',
    running: ['3.5.35', '3.5.35', '3.5.35'],
    started: (more.running ?? [1, 2, 3]).length,
    downgrading: false,
    ...more,
  };
}

type Chosen = readonly [name: string, seen: JoinVersionObservation, version: string];

const chosen: readonly Chosen[] = [
  ["the cluster's own minor", seen(), '3.5.35'],
  ['its newest patch', seen({ installed: ['3.5.9', '3.5.35', '3.6.16'] }), '3.5.35'],
  [
    "the cluster's own, however old its patch: redundancy first",
    seen({ installed: ['3.5.9', '3.6.16'] }),
    '3.5.9',
  ],
  [
    'the very patch that it is to run: what is newer may be what an operator keeps away from',
    seen({ installed: ['3.5.30', '3.5.35'], wanted: '3.5.30', running: ['3.5.30', '3.5.30'] }),
    '3.5.30',
  ],
  [
    'the newest where it is to run a minor',
    seen({ installed: ['3.5.9', '3.5.35'], wanted: '3.5' }),
    '3.5.35',
  ],
  [
    'the newest where it has not the patch that it is to run',
    seen({ installed: ['3.5.9', '3.5.35'], wanted: '3.5.30' }),
    '3.5.35',
  ],
  [
    'the newest of its minor where it is to run another one in the end',
    seen({ installed: ['3.5.9', '3.5.35', '3.6.11'], wanted: '3.6.11' }),
    '3.5.35',
  ],
  [
    'the very patch of the next one, where the image has no other',
    seen({ installed: ['3.6.11', '3.6.16'], wanted: '3.6.11' }),
    '3.6.11',
  ],
  ['none that lost data beside another', seen({ installed: ['3.5.5', '3.5.9'], wanted: '3.5.5' }), '3.5.9'],
  [
    'one that lost data, where the cluster has that already: redundancy first',
    seen({ installed: ['3.5.1', '3.6.16'], running: ['3.5.35', '3.5.5'] }),
    '3.5.1',
  ],
  ['one that lost data, where nobody says what runs', seen({ installed: ['3.5.1'], running: [] }), '3.5.1'],
  ["the cluster's own, where no member answers any more", seen({ running: [] }), '3.5.35'],
  ['the old one in the middle of a round', seen({ running: ['3.5.35', '3.6.16', '3.6.16'] }), '3.5.35'],
  ['the old one, whatever the data hold', seen({ oldApi: true }), '3.5.35'],
  [
    'the next one, where the image has no other: 3.5 beside 3.4',
    seen({ installed: ['3.5.26'], clusterVersion: '3.4.0', running: ['3.4.0', '3.4.23'] }),
    '3.5.26',
  ],
  ['the next one, 3.6 beside 3.5', seen({ installed: ['3.6.5', '3.7.3'], running: ['3.5.32'] }), '3.6.5'],
  [
    'the next one in the middle of a round',
    seen({ installed: ['3.6.16'], running: ['3.5.35', '3.6.16'] }),
    '3.6.16',
  ],
  [
    'the next one of 3.4, whatever the data hold',
    seen({ installed: ['3.5.35'], clusterVersion: '3.4.0', running: ['3.4.45'], oldApi: true }),
    '3.5.35',
  ],
  [
    'the old one, where a silent member may still run it',
    seen({ running: ['3.6.16', '3.6.16'], started: 3 }),
    '3.5.35',
  ],
  [
    'what the members run, while etcd has not decided yet',
    seen({ clusterVersion: '3.0.0', running: ['3.6.16', '3.5.35'] }),
    '3.5.35',
  ],
  ['the newest that there is', seen({ clusterVersion: '3.7.0', running: ['3.7.3'] }), '3.7.3'],
];

type Missing = readonly [name: string, seen: JoinVersionObservation, why: RegExp];

const missing: readonly Missing[] = [
  ["the cluster's version is unknown", seen({ clusterVersion: null }), /no member tells its version/],
  [
    'etcd has not decided yet, and nobody says what it runs',
    seen({ clusterVersion: '3.0.0', running: [] }),
    /no etcd 3\.0 is installed/,
  ],
  [
    "all have left the cluster's minor",
    seen({ running: ['3.6.16', '3.6.16'] }),
    /all members have left etcd 3\.5/,
  ],
  [
    'all that it has of the minor lost data, and no member runs such a one',
    seen({ installed: ['3.5.1', '3.5.5', '3.6.16'] }),
    /etcd 3\.5\.5 lost data.*no other.*3\.5\.35/,
  ],
  ['nothing is installed', seen({ installed: [] }), /no etcd 3\.5 or 3\.6 is installed.*installed: none/],
  ['only older ones are', seen({ installed: ['3.4.45'] }), /no etcd 3\.5 or 3\.6 .*installed: 3\.4\.45/],
  [
    '3.7 beside 3.6: the log may hold what it dies of',
    seen({ installed: ['3.7.3'], clusterVersion: '3.6.0', running: ['3.6.16'] }),
    /no etcd 3\.6 is installed/,
  ],
  [
    '3.6 kills 3.4',
    seen({ installed: ['3.6.16'], clusterVersion: '3.4.0', running: ['3.4.45'] }),
    /no etcd 3\.4 or 3\.5 is installed/,
  ],
  [
    "3.6 kills 3.4, which whoever told the cluster's version did not see",
    seen({ installed: ['3.6.16'], running: ['3.5.35', '3.4.45'] }),
    /3\.4\.45/,
  ],
  [
    'two minors below a member, too',
    seen({ clusterVersion: '3.4.0', running: ['3.4.45', '3.6.16'] }),
    /3\.6\.16/,
  ],
  ['another major', seen({ running: ['3.5.35', '4.0.0'] }), /4\.0\.0/],
  [
    'the next minor is a step, and the members are too old for it',
    seen({ installed: ['3.6.16'], running: ['3.5.35', '3.5.31'] }),
    /3\.5\.31.*takes 3\.5\.32/,
  ],
  [
    'the next minor is a step, and this patch of it is too old',
    seen({ installed: ['3.6.4'] }),
    /3\.6\.4 is too old to join/,
  ],
  [
    'the next minor, and nobody says what it runs',
    seen({ installed: ['3.6.16'], running: [] }),
    /nobody says which patch/,
  ],
  [
    'the next minor dies of what the data hold',
    seen({ installed: ['3.6.16'], oldApi: true }),
    /requests of the old API/,
  ],
];

describe('joinVersion', () => {
  it.each(chosen)('joins with %s', (_name, observed, version) => {
    expect(joinVersion(observed)).toEqual({ kind: 'chosen', version });
  });

  it.each(missing)('does not join: %s', (_name, observed, why) => {
    expect(joinVersion(observed)).toEqual({ kind: 'missing', why: expect.stringMatching(why) });
  });

  it('does not join while a downgrade is under way, and tells it from what lacks', () => {
    const why = 'a downgrade is under way, and until its end etcd takes in nobody';
    expect(joinVersion(seen({ downgrading: true }))).toEqual({ kind: 'missing', why, downgrade: true });
  });
});

/** One member's word. */
function says(cluster: string, downgradeTarget: string | null = null): Parameters<typeof whyNotJoinedAs>[1] {
  return [{ cluster, downgradeTarget }];
}

describe('whyNotJoinedAs', () => {
  it.each([
    ["the cluster's minor", '3.6.16', says('3.6.0')],
    ['the next one', '3.6.16', says('3.5.0')],
    ['what a young cluster runs', '3.6.16', says('3.0.0')],
  ])('starts as %s', (_name, version, told) => {
    expect(whyNotJoinedAs(version, told)).toBe(null);
  });

  it.each([
    ['the cluster has gone up', '3.6.16', says('3.7.0'), /gone up to 3\.7 meanwhile.*3\.6\.16/],
    [
      'one member says that it has gone up',
      '3.6.16',
      [...says('3.6.0'), ...says('3.7.0')],
      /gone up to 3\.7/,
    ],
    ['nobody says what the cluster has', '3.6.16', [], /no member says.*3\.6\.16/],
    ['the cluster is of another major', '3.6.16', says('4.0.0'), /gone up to 4\.0/],
    ['a downgrade has begun', '3.6.16', says('3.6.0', '3.5.0'), /a downgrade has begun/],
    [
      'one member says that a downgrade has begun',
      '3.5.35',
      [...says('3.5.0'), ...says('3.5.0', '3.5.0')],
      /a downgrade has begun/,
    ],
  ])('does not start: %s', (_name, version, told, why) => {
    expect(whyNotJoinedAs(version, told)).toMatch(why);
  });
});

import { foundingClaim } from '../../../src/core/claim.ts';
import { known } from '../../../src/core/known.ts';
import type { StartCase } from '../../fixtures/core/start-case.ts';
import { answers, beside, EMPTY_FLEET, NOBODY, REFUSED, start } from '../../fixtures/core/start.ts';
import {
  birthsOf,
  CLUSTER,
  clusterIdOf,
  created,
  DARK,
  EMPTY_DISK,
  fleet,
  formed,
  forming,
  founder,
  GROUP,
  idOf,
  identity,
  instance,
  markOf,
  member,
  nothingHeld,
  recordOf,
  self,
  STACK,
  swapped,
  voter,
} from '../../fixtures/core/world.ts';

const SRV = { name: `_etcd-server._tcp.${CLUSTER}`, type: 'SRV', ttl: 60, values: ['1 1 2380 i-9'] } as const;

/** The claim that i-1 makes of an empty fleet. */
function newborn(
  founders: readonly number[] = [1, 2, 3],
  before: ReturnType<typeof forming> | null = null,
  etcd: string | null = null,
) {
  return foundingClaim({
    stack: STACK,
    token: 'fresh-token',
    groups: [GROUP],
    founders: founders.map(founder),
    etcd,
    before,
  });
}

/** A whole fleet, each of which has these versions and wishes for none; null: its appliance is older than the word. */
function equipped(one: readonly string[], two: readonly string[] | null, three: readonly string[]) {
  const has = (installed: readonly string[] | null) => ({
    etcd: installed === null ? null : { installed, wanted: null },
  });
  return {
    ...EMPTY_FLEET,
    etcd: { installed: one, wanted: null },
    births: birthsOf([2, nothingHeld(2, has(two))], [3, nothingHeld(3, has(three))]),
  };
}

const FRESH_MARK = { token: 'fresh-token', nonce: 'fresh-nonce', started: false };
const OWN_BATCH = created(recordOf(newborn()), markOf(1, 'fresh-token', 'fresh-nonce'));

/** Which etcd the founders start: one minor that all of them have. */
const versions: readonly StartCase[] = [
  {
    name: 'the images are alike: the claim fixes their minor',
    seen: start(equipped(['3.5.35'], ['3.5.35'], ['3.5.20'])),
    kind: 'register',
    code: 'birth',
    changes: created(recordOf(newborn([1, 2, 3], null, '3.5')), markOf(1, 'fresh-token', 'fresh-nonce')),
  },
  {
    name: 'one image has less: the claim fixes what that is for',
    seen: start(equipped(['3.4.45', '3.5.35', '3.6.16'], ['3.4.45'], ['3.4.45', '3.6.16'])),
    kind: 'register',
    code: 'birth',
    changes: created(recordOf(newborn([1, 2, 3], null, '3.4')), markOf(1, 'fresh-token', 'fresh-nonce')),
  },
  {
    name: 'an older appliance does not say what it has: it would not heed what the claim fixes',
    seen: start(equipped(['3.5.35'], null, ['3.6.16'])),
    kind: 'register',
    code: 'birth',
    changes: OWN_BATCH,
    mark: FRESH_MARK,
  },
  {
    name: 'the images have no minor in common: nobody claims',
    seen: start(equipped(['3.4.45'], ['3.6.16'], ['3.4.45', '3.6.16'])),
    kind: 'wait',
    code: 'birth-versions',
    says: ['i-1 has 3.4.45, i-2 has 3.6.16, i-3 has 3.4.45 and 3.6.16'],
  },
  {
    name: 'the images have no minor in common, and another claims first: it says so, too',
    seen: start({
      ...equipped(['3.4.45'], ['3.6.16'], ['3.4.45']),
      self: self(2),
      births: birthsOf(
        [1, nothingHeld(1, { etcd: { installed: ['3.6.16'], wanted: '3.6' } })],
        [3, nothingHeld(3, { etcd: { installed: ['3.4.45'], wanted: null } })],
      ),
    }),
    kind: 'wait',
    code: 'birth-versions',
    says: ['i-1 has 3.6.16 and is to have 3.6'],
  },
  {
    name: 'a majority has a minor in common after the bootstrap wait: it is born without the other',
    seen: start({ ...equipped(['3.4.45'], ['3.6.16'], ['3.4.45', '3.6.16']), waitedMs: 120_000 }),
    kind: 'register',
    code: 'birth-of-majority',
    changes: created(recordOf(newborn([1, 3], null, '3.4')), markOf(1, 'fresh-token', 'fresh-nonce')),
  },
  {
    name: 'the image here lacks what the majority has after the bootstrap wait: it claims nothing, however long the others take',
    seen: start({
      ...equipped(['3.7.3'], ['3.6.16'], ['3.4.45', '3.6.16']),
      waitedMs: 120_000,
      standing: { code: 'not-my-turn', forMs: 60_000 },
    }),
    kind: 'wait',
    code: 'birth-versions',
    says: ['no etcd 3.6 is here: i-2, i-3 are born without this instance'],
  },
  {
    name: 'no majority has a minor in common after the bootstrap wait: nobody claims',
    seen: start({ ...equipped(['3.4.45'], ['3.5.35'], ['3.6.16']), waitedMs: 120_000 }),
    kind: 'wait',
    code: 'birth-versions',
    says: ['i-1 has 3.4.45, i-2 has 3.5.35, i-3 has 3.6.16'],
  },
  {
    name: 'nobody has what it is for after the bootstrap wait: nobody claims',
    seen: start({
      ...EMPTY_FLEET,
      etcd: { installed: ['3.5.35'], wanted: '3.6' },
      births: birthsOf(
        [2, nothingHeld(2, { etcd: { installed: ['3.5.35'], wanted: '3.6' } })],
        [3, nothingHeld(3, { etcd: { installed: ['3.5.35'], wanted: '3.6' } })],
      ),
      waitedMs: 120_000,
    }),
    kind: 'wait',
    code: 'birth-versions',
    says: ['i-1 has 3.5.35 and is to have 3.6'],
  },
  {
    name: 'no etcd is installed here',
    seen: start(equipped([], ['3.5.35'], ['3.5.35'])),
    kind: 'wait',
    code: 'birth-versions',
    says: ['i-1 has no etcd'],
  },
  {
    name: 'no etcd is installed on another: it is no founder',
    seen: start(equipped(['3.5.35'], ['3.5.35'], [])),
    kind: 'wait',
    code: 'fleet-incomplete',
    says: ['i-3 (no etcd is installed there)'],
  },
  {
    name: 'no etcd is installed on another after the bootstrap wait: it is born without that one',
    seen: start({ ...equipped(['3.5.35'], ['3.5.35'], []), waitedMs: 120_000 }),
    kind: 'register',
    code: 'birth-of-majority',
    changes: created(recordOf(newborn([1, 2], null, '3.5')), markOf(1, 'fresh-token', 'fresh-nonce')),
  },
];

/** design.md section 4, "no claim, and no cluster". */
const withoutClaim: readonly StartCase[] = [
  {
    name: 'an address answers as another instance: what that one holds says nothing of this one',
    seen: start({
      ...EMPTY_FLEET,
      births: birthsOf([2, nothingHeld(2)], [3, nothingHeld(4)]),
    }),
    kind: 'wait',
    code: 'fleet-incomplete',
    says: ['answers there'],
  },
  {
    name: 'an address answers for another stack',
    seen: start({
      ...EMPTY_FLEET,
      births: birthsOf([2, nothingHeld(2)], [3, nothingHeld(3, { stack: 'other-main' })]),
    }),
    kind: 'wait',
    code: 'fleet-incomplete',
  },
  {
    name: 'as many as desired hold nothing, and one more is silent',
    seen: start({ ...EMPTY_FLEET, fleet: known(fleet([1, 2, 3, 4], 3)) }),
    kind: 'wait',
    code: 'fleet-incomplete',
  },
  {
    name: 'EC2 does not show the address of one that runs, whoever answers for it',
    seen: start({ ...EMPTY_FLEET, fleet: known(fleet([1, 2, instance(3, { address: null })])) }),
    kind: 'wait',
    code: 'fleet-incomplete',
  },
  {
    name: 'another claims first, and has had less than its turn',
    seen: start({
      ...EMPTY_FLEET,
      self: self(2),
      births: birthsOf([1, nothingHeld(1)], [3, nothingHeld(3)]),
      standing: { code: 'not-my-turn', forMs: 999 },
    }),
    kind: 'wait',
    code: 'not-my-turn',
  },
  ...(
    [
      ['that nobody can name: they may be of a cluster that lived', null, 'wait', 'instance-holds-data'],
      ['of a formed epoch', identity(), 'wait', 'instance-holds-data'],
      ['that are not known as formed: they do not count', identity({ formed: false }), 'register', 'birth'],
    ] as const
  ).map(([what, held, kind, code]): StartCase => ({
    name: `data were set aside here ${what}`,
    seen: start({
      ...EMPTY_FLEET,
      local: {
        ...EMPTY_DISK,
        aside: [{ directory: 'aside/1', identity: held, at: '2026-01-01', reason: 'never-born' }],
      },
      room: DARK,
    }),
    kind,
    code,
    ...(kind === 'register' ? { hint: { epoch: 1, addresses: ['10.0.0.2', '10.0.0.3'] } } : {}),
  })),
  {
    name: 'the zone cannot be read',
    seen: start({ zone: DARK, ...EMPTY_FLEET }),
    kind: 'wait',
    code: 'claim-unknown',
  },
  { name: 'the fleet was not asked', seen: start(), kind: 'ask', code: 'ask', facts: ['fleet'] },
  {
    name: 'the fleet is unknown',
    seen: start({ ...EMPTY_FLEET, fleet: DARK }),
    kind: 'wait',
    code: 'fleet-unknown',
    says: ['AWS does not answer'],
  },
  {
    name: 'the own instance is in Standby',
    seen: start({ ...EMPTY_FLEET, fleet: known(fleet([instance(1, { lifecycle: 'Standby' }), 2, 3])) }),
    kind: 'wait',
    code: 'not-joinable',
  },
  {
    name: 'the own instance is in Standby, and others that are not come first',
    seen: start({ ...EMPTY_FLEET, fleet: known(fleet([2, instance(1, { lifecycle: 'Standby' }), 3])) }),
    kind: 'wait',
    code: 'not-joinable',
  },
  {
    name: 'the own lifecycle state is a word that is not known',
    seen: start({ ...EMPTY_FLEET, fleet: known(fleet([instance(1, { lifecycle: 'Hibernated' }), 2, 3])) }),
    kind: 'wait',
    code: 'not-joinable',
  },
  {
    name: 'probes come before anything is asked of the others',
    seen: start({ fleet: EMPTY_FLEET.fleet }),
    kind: 'ask',
    code: 'ask',
    facts: ['probes'],
  },
  {
    name: 'nothing speaks etcd: the others are asked what they hold',
    seen: start({ fleet: EMPTY_FLEET.fleet, probes: [] }),
    kind: 'ask',
    code: 'ask',
    facts: ['births'],
  },
  {
    name: 'SRV sets stand under the name: a cluster lived here',
    seen: start({ ...EMPTY_FLEET, zone: known([SRV]) }),
    kind: 'wait',
    code: 'records-without-claim',
    says: ['claim release'],
  },
  {
    name: 'etcd answers without a quorum',
    seen: start({ ...EMPTY_FLEET, probes: [{ address: '10.0.0.2', clusterId: null }], quorum: NOBODY }),
    kind: 'wait',
    code: 'etcd-without-quorum',
    says: ['10.0.0.2'],
  },
  {
    name: 'etcd answers, and lets no appliance in',
    seen: start({ ...EMPTY_FLEET, probes: [{ address: '10.0.0.2', clusterId: null }], quorum: REFUSED }),
    kind: 'wait',
    code: 'start-refused',
    says: ['10.0.0.2', 'authentication is on'],
  },
  {
    name: 'etcd answers somewhere: whether with a quorum is asked',
    seen: start({ ...EMPTY_FLEET, probes: [{ address: '10.0.0.2', clusterId: 'aa' }] }),
    kind: 'ask',
    code: 'ask',
    facts: ['quorum'],
  },
  {
    name: 'a cluster with quorum is older than the claim: it is written as formed',
    seen: start({
      ...EMPTY_FLEET,
      probes: [{ address: '10.0.0.2', clusterId: clusterIdOf() }],
      quorum: answers([2, 3]),
    }),
    kind: 'register',
    code: 'cluster-without-claim',
    changes: created(
      recordOf({
        ...newborn([]),
        state: 'formed',
        lived: true,
        clusterId: clusterIdOf(),
        voters: formed().voters.filter((it) => it.instanceId !== idOf(1)),
      }),
    ),
    mark: null,
  },
  {
    name: 'a cluster with quorum has a voter that never started, without a name',
    seen: start({
      ...EMPTY_FLEET,
      probes: [{ address: '10.0.0.2', clusterId: clusterIdOf() }],
      quorum: answers([member(2, { name: '', clientUrls: [] })]),
    }),
    kind: 'register',
    code: 'cluster-without-claim',
    changes: created(
      recordOf({
        ...newborn([]),
        state: 'formed',
        lived: true,
        clusterId: clusterIdOf(),
        voters: [{ ...voter(2), instanceId: 'unnamed', region: null }],
      }),
    ),
  },
  {
    name: 'an instance did not answer: silence is never "no data"',
    seen: start({ ...EMPTY_FLEET, births: birthsOf([2, nothingHeld(2)], [3, DARK]) }),
    kind: 'wait',
    code: 'fleet-incomplete',
    says: ['i-3', '10.0.0.3'],
  },
  {
    name: 'fewer instances than desired',
    seen: start({ ...EMPTY_FLEET, fleet: known(fleet([1, 2], 3)) }),
    kind: 'wait',
    code: 'fleet-incomplete',
    says: ['2 of 3'],
  },
  {
    name: 'fewer instances than desired after the bootstrap wait: all that there are found, and are a majority',
    seen: start({
      ...EMPTY_FLEET,
      fleet: known(fleet([1, 2], 3)),
      births: birthsOf([2, nothingHeld(2)]),
      waitedMs: 120_000,
    }),
    kind: 'register',
    code: 'birth-of-majority',
    changes: created(recordOf(newborn([1, 2])), markOf(1, 'fresh-token', 'fresh-nonce')),
  },
  {
    name: 'an instance is not shown by EC2 yet',
    seen: start({ ...EMPTY_FLEET, fleet: known(fleet([1, 2, instance(3, { state: null, address: null })])) }),
    kind: 'wait',
    code: 'fleet-incomplete',
  },
  {
    name: 'an instance that answers is only pending in EC2',
    seen: start({ ...EMPTY_FLEET, fleet: known(fleet([1, 2, instance(3, { state: 'pending' })])) }),
    kind: 'wait',
    code: 'fleet-incomplete',
  },
  {
    name: 'complete, and the lowest id: claims, with its own mark in the batch',
    seen: start(EMPTY_FLEET),
    kind: 'register',
    code: 'birth',
    changes: OWN_BATCH,
    mark: FRESH_MARK,
  },
  {
    name: 'complete: claims with the nonce that it offered, and makes the marks of those that offered theirs',
    seen: start({
      ...EMPTY_FLEET,
      local: { ...EMPTY_DISK, mark: { token: null, nonce: 'offer-1', started: false } },
      births: birthsOf([2, nothingHeld(2)], [3, nothingHeld(3, { nonce: 'offer-3' })]),
    }),
    kind: 'register',
    code: 'birth',
    changes: created(
      recordOf(newborn()),
      markOf(1, 'fresh-token', 'offer-1'),
      markOf(3, 'fresh-token', 'offer-3'),
    ),
    mark: { token: 'fresh-token', nonce: 'offer-1', started: false },
  },
  {
    name: "a founder's mark of an epoch that is gone is replaced in the batch, naming its values",
    seen: start({
      ...EMPTY_FLEET,
      births: birthsOf([2, nothingHeld(2, { nonce: 'offer-2' })], [3, nothingHeld(3)]),
      zone: known([markOf(2, 'gone'), markOf(3, 'gone')]),
    }),
    kind: 'register',
    code: 'birth',
    changes: [...OWN_BATCH, ...swapped(markOf(2, 'gone'), markOf(2, 'fresh-token', 'offer-2'))],
    mark: FRESH_MARK,
  },
  {
    name: 'complete, and not the lowest id: waits its turn',
    seen: start({
      ...EMPTY_FLEET,
      self: self(2),
      births: birthsOf([1, nothingHeld(1)], [3, nothingHeld(3)]),
    }),
    kind: 'wait',
    code: 'not-my-turn',
    says: ['i-1'],
  },
  {
    name: 'the lowest id did not claim within a second',
    seen: start({
      ...EMPTY_FLEET,
      self: self(2),
      births: birthsOf([1, nothingHeld(1)], [3, nothingHeld(3)]),
      standing: { code: 'not-my-turn', forMs: 1_000 },
    }),
    kind: 'register',
    code: 'birth',
  },
  {
    name: 'a second of another wait is no turn',
    seen: start({
      ...EMPTY_FLEET,
      self: self(2),
      births: birthsOf([1, nothingHeld(1)], [3, nothingHeld(3)]),
      standing: { code: 'fleet-incomplete', forMs: 60_000 },
    }),
    kind: 'wait',
    code: 'not-my-turn',
  },
  {
    name: 'after the bootstrap wait a majority of the desired number suffices: exactly those that answered found',
    seen: start({ ...EMPTY_FLEET, births: birthsOf([2, nothingHeld(2)], [3, DARK]), waitedMs: 120_000 }),
    kind: 'register',
    code: 'birth-of-majority',
    changes: created(recordOf(newborn([1, 2])), markOf(1, 'fresh-token', 'fresh-nonce')),
  },
  {
    name: 'just before the end of the bootstrap wait it does not',
    seen: start({ ...EMPTY_FLEET, births: birthsOf([2, nothingHeld(2)], [3, DARK]), waitedMs: 119_999 }),
    kind: 'wait',
    code: 'fleet-incomplete',
  },
  {
    name: 'after the bootstrap wait less than a majority does not suffice',
    seen: start({ ...EMPTY_FLEET, births: birthsOf([2, DARK], [3, DARK]), waitedMs: 600_000 }),
    kind: 'wait',
    code: 'fleet-incomplete',
  },
  {
    name: 'an answer that shows only the asking instance is not the fleet: others are desired',
    seen: start({ ...EMPTY_FLEET, fleet: known(fleet([1], 3)), births: birthsOf(), waitedMs: 600_000 }),
    kind: 'wait',
    code: 'fleet-incomplete',
  },
  {
    name: 'a group of one',
    seen: start({ fleet: known(fleet([1])), probes: [], births: birthsOf() }),
    kind: 'register',
    code: 'birth',
    changes: created(recordOf(newborn([1])), markOf(1, 'fresh-token', 'fresh-nonce')),
  },
  {
    name: 'one that AWS shows no more says that it holds data',
    seen: start({
      fleet: known(fleet([1])),
      probes: [],
      births: birthsOf([2, nothingHeld(2, { data: { token: 'a', clusterId: 'c', formed: true } })]),
    }),
    kind: 'wait',
    code: 'instance-holds-data',
    says: ['i-2'],
  },
  {
    name: 'one that AWS shows no more is no founder, and is not waited for',
    seen: start({
      fleet: known(fleet([1])),
      probes: [],
      births: birthsOf([2, nothingHeld(2)], [3, DARK]),
    }),
    kind: 'register',
    code: 'birth',
    changes: created(recordOf(newborn([1])), markOf(1, 'fresh-token', 'fresh-nonce')),
  },
  {
    name: 'at the address of one that AWS shows no more another answers that holds data',
    seen: start({
      fleet: known(fleet([1])),
      probes: [],
      births: birthsOf([2, nothingHeld(9, { data: { token: 'a', clusterId: 'c', formed: true } })]),
    }),
    kind: 'register',
    code: 'birth',
    changes: created(recordOf(newborn([1])), markOf(1, 'fresh-token', 'fresh-nonce')),
  },
  {
    name: 'an instance in Standby is no founder',
    seen: start({ ...EMPTY_FLEET, fleet: known(fleet([1, 2, instance(3, { lifecycle: 'Standby' })], 2)) }),
    kind: 'register',
    code: 'birth',
    changes: created(recordOf(newborn([1, 2])), markOf(1, 'fresh-token', 'fresh-nonce')),
  },
  {
    name: 'the own mark of an epoch that is gone is replaced in the batch',
    seen: start({ ...EMPTY_FLEET, zone: known([markOf(1, 'gone')]) }),
    kind: 'register',
    code: 'birth',
    changes: [
      ...created(recordOf(newborn())),
      ...swapped(markOf(1, 'gone'), markOf(1, 'fresh-token', 'fresh-nonce')),
    ],
  },
  {
    name: 'the claim of the local mark is gone',
    seen: start({
      ...EMPTY_FLEET,
      local: { ...EMPTY_DISK, mark: { token: 'gone', nonce: 'nonce-1', started: true } },
    }),
    kind: 'clear-mark',
    code: 'stale-mark',
  },
];

/** Who holds what, as `/birth` says it. */
const holders: readonly StartCase[] = (
  [
    ['data of a formed epoch', { data: { token: 'old', clusterId: 'aa', formed: true } }],
    ['data that nobody vouches for', { data: { token: null, clusterId: null, formed: false } }],
    ['data set aside of a formed epoch', { aside: [{ token: 'old', clusterId: 'aa', formed: true }] }],
    ['the mark of a founding that it started', { mark: { token: 'old', started: true } }],
  ] as const
).map(([what, held]) => ({
  name: `another instance holds ${what}, long after the bootstrap wait`,
  seen: start({
    ...EMPTY_FLEET,
    births: birthsOf([2, nothingHeld(2, held)], [3, nothingHeld(3)]),
    waitedMs: 3_600_000,
  }),
  kind: 'wait',
  code: 'instance-holds-data',
  says: ['i-2'],
}));

const harmless: readonly StartCase[] = (
  [
    ['data set aside that were never born', { aside: [{ token: 'old', clusterId: 'aa', formed: false }] }],
    ['a mark that it did not act on', { mark: { token: 'old', started: false } }],
  ] as const
).map(([what, held]) => ({
  name: `another instance holds only ${what}`,
  seen: start({ ...EMPTY_FLEET, births: birthsOf([2, nothingHeld(2, held)], [3, nothingHeld(3)]) }),
  kind: 'register',
  code: 'birth',
}));

const ownAside: readonly StartCase[] = [
  {
    name: 'this instance has data of a formed epoch set aside',
    seen: start({
      ...EMPTY_FLEET,
      local: { ...EMPTY_DISK, aside: [{ directory: 'a', identity: identity(), at: '', reason: '' }] },
    }),
    kind: 'wait',
    code: 'instance-holds-data',
    says: ['i-1'],
  },
  {
    name: 'this instance has data set aside that were never born',
    seen: start({
      ...EMPTY_FLEET,
      local: {
        ...EMPTY_DISK,
        aside: [{ directory: 'a', identity: identity({ formed: false }), at: '', reason: '' }],
      },
      room: DARK,
    }),
    kind: 'register',
    code: 'birth',
  },
];

const OVERDUE = { claimStoodMs: 180_000, quorum: NOBODY } as const;
const STRANGERS = forming({ founders: [7, 8, 9].map(founder) });

/** design.md section 4, "claim forming that never lived": when it may be replaced, and when not. */
const replacement: readonly StartCase[] = [
  {
    name: 'a forming claim without this instance is waited for',
    seen: beside(forming({ founders: [2, 3, 4].map(founder) }), { fleet: known(fleet([1, 2, 3, 4])) }),
    kind: 'wait',
    code: 'forming-wait',
  },
  {
    name: 'a majority of its founders is no longer joinable',
    seen: beside(STRANGERS, { ...EMPTY_FLEET, quorum: NOBODY }),
    kind: 'register',
    code: 'forming-replaced',
    changes: [
      ...swapped(recordOf(STRANGERS), recordOf(newborn([1, 2, 3], STRANGERS))),
      ...created(markOf(1, 'fresh-token', 'fresh-nonce')),
    ],
    mark: FRESH_MARK,
  },
  {
    name: 'only a minority of its founders is no longer joinable',
    seen: beside(forming({ founders: [2, 3, 9].map(founder) }), { ...EMPTY_FLEET, quorum: NOBODY }),
    kind: 'wait',
    code: 'forming-wait',
  },
  {
    name: 'a majority of its founders lost their data, and the fleet is unknown',
    seen: beside(forming({ lost: [idOf(1), idOf(2)] }), { fleet: DARK, quorum: NOBODY }),
    kind: 'wait',
    code: 'fleet-unknown',
  },
  {
    name: 'it has stood unchanged for the forming limit',
    seen: beside(forming({ founders: [2, 3, 4].map(founder) }), {
      ...OVERDUE,
      fleet: known(fleet([1, 2, 3, 4], 4)),
      probes: [],
      births: birthsOf([2, nothingHeld(2)], [3, nothingHeld(3)], [4, nothingHeld(4)]),
    }),
    kind: 'register',
    code: 'forming-replaced',
  },
  {
    name: 'the limit doubles with each epoch',
    seen: beside(forming({ epoch: 2, founders: [2, 3, 4].map(founder) }), {
      ...OVERDUE,
      fleet: known(fleet([1, 2, 3, 4])),
    }),
    kind: 'wait',
    code: 'forming-wait',
  },
  {
    name: 'overdue, and whether its cluster has a quorum was not asked',
    seen: beside(forming({ founders: [2, 3, 4].map(founder) }), {
      claimStoodMs: 180_000,
      fleet: known(fleet([1, 2, 3, 4])),
    }),
    kind: 'ask',
    code: 'ask',
    facts: ['quorum'],
  },
  {
    name: 'overdue, but its own cluster answers with quorum: its voters will mark it formed',
    seen: beside(forming({ founders: [2, 3, 4].map(founder) }), {
      claimStoodMs: 3_600_000,
      fleet: known(fleet([1, 2, 3, 4])),
      quorum: answers([2, 3, 4]),
    }),
    kind: 'wait',
    code: 'forming-wait',
  },
  {
    name: 'its own cluster answers with quorum, and most founders are said to have lost their data: nobody will form it',
    seen: beside(forming({ founders: [2, 3].map(founder), lost: [idOf(3)] }), {
      fleet: known(fleet([1, 2, 3], 3)),
      quorum: answers([2, 3]),
      probes: [{ address: '10.0.0.2', clusterId: clusterIdOf() }],
      births: birthsOf([2, nothingHeld(2)], [3, nothingHeld(3)]),
    }),
    kind: 'register',
    code: 'forming-replaced',
  },
  {
    name: 'overdue beside a cluster of another id with quorum: that one is older, and adopted',
    seen: beside(forming({ founders: [2, 3, 4].map(founder) }), {
      claimStoodMs: 180_000,
      fleet: known(fleet([1, 2, 3, 4])),
      quorum: answers([2, 3], 'ab'.repeat(8)),
    }),
    kind: 'register',
    code: 'cluster-without-claim',
  },
  {
    name: 'the same, and the fleet is unknown: nothing is adopted yet',
    seen: beside(forming({ founders: [2, 3, 4].map(founder) }), {
      claimStoodMs: 180_000,
      fleet: DARK,
      quorum: answers([2, 3], 'ab'.repeat(8)),
    }),
    kind: 'wait',
    code: 'fleet-unknown',
  },
  {
    name: 'the etcds and data of the replaced epoch are no obstacle',
    seen: beside(forming({ founders: [2, 3, 4].map(founder) }), {
      ...OVERDUE,
      fleet: known(fleet([1, 2], 2)),
      probes: [{ address: '10.0.0.2', clusterId: clusterIdOf() }],
      births: birthsOf([
        2,
        nothingHeld(2, {
          data: { token: 'token-1', clusterId: clusterIdOf(), formed: false },
          mark: { token: 'token-1', started: true },
        }),
      ]),
    }),
    kind: 'register',
    code: 'forming-replaced',
  },
  {
    name: 'data of another epoch are an obstacle to the next one',
    seen: beside(forming({ founders: [2, 3, 4].map(founder) }), {
      ...OVERDUE,
      fleet: known(fleet([1, 2], 2)),
      probes: [],
      births: birthsOf([2, nothingHeld(2, { data: { token: 'older', clusterId: 'aa', formed: false } })]),
    }),
    kind: 'wait',
    code: 'instance-holds-data',
  },
  {
    name: 'an etcd of another id without quorum is an obstacle to the next one',
    seen: beside(forming({ founders: [2, 3, 4].map(founder) }), {
      ...OVERDUE,
      ...EMPTY_FLEET,
      probes: [{ address: '10.0.0.2', clusterId: 'ab'.repeat(8) }],
    }),
    kind: 'wait',
    code: 'etcd-without-quorum',
  },
  {
    name: 'a forming claim of a name that once lived is never replaced',
    seen: beside(forming({ lived: true, founders: [7, 8, 9].map(founder) }), { ...EMPTY_FLEET, ...OVERDUE }),
    kind: 'wait',
    code: 'forming-wait',
  },
  {
    name: 'a local mark of an earlier epoch, started: it says no more, and would block the next claim',
    seen: beside(forming({ epoch: 2, founders: [2, 3, 4].map(founder) }), {
      fleet: known(fleet([1, 2, 3, 4])),
      local: { ...EMPTY_DISK, mark: { token: 'token-0', nonce: 'n', started: true } },
    }),
    kind: 'clear-mark',
    code: 'stale-mark',
  },
];

export const birthCases: readonly StartCase[] = [
  ...withoutClaim,
  ...versions,
  ...holders,
  ...harmless,
  ...ownAside,
  ...replacement,
];

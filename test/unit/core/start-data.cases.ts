import { known } from '../../../src/core/known.ts';
import type { AsideEntry, DataIdentity } from '../../../src/core/local-data.ts';
import { namesOf } from '../../../src/core/names.ts';
import type { StartCase } from '../../fixtures/core/start-case.ts';
import { answers, beside, EMPTY_FLEET, NOBODY, REFUSED, start } from '../../fixtures/core/start.ts';
import {
  addressOf,
  birthsOf,
  CLUSTER,
  clusterIdOf,
  DARK,
  diskWith,
  EMPTY_DISK,
  fleet,
  formed,
  forming,
  hexOf,
  identity,
  idOf,
  member,
  nothingHeld,
} from '../../fixtures/core/world.ts';

const OWN = diskWith();
const WHOLE = known(fleet([1, 2, 3]));
const UNBORN = diskWith({ formed: false });
/** A founder's data, whose claim was deleted before it was formed, as far as it knows. */
const RELEASED = { local: UNBORN, quorum: NOBODY, claimStoodMs: 180_000, fleet: WHOLE } as const;
const HELD = { token: 'token-1', clusterId: clusterIdOf(), formed: false };
const ANOTHERS = diskWith({ instanceId: idOf(9) });
const NAMELESS = { ...EMPTY_DISK, present: true };
const NEXT = formed({ epoch: 2, token: 'token-2', clusterId: clusterIdOf('token-2') });
/** Born after the claim was released: epochs count from 1 again. */
const REBORN = { ...NEXT, epoch: 1 };

/** A log whose last entry has this index; 0: it has none. */
const logTo = (lastIndex: number) => known({ snapshotIndex: 0, lastIndex, lastV2Index: null });

/** Whose data they are: known from the disk alone. */
const whose: readonly StartCase[] = [
  {
    name: 'the register is configured elsewhere than the data say',
    seen: start({ local: diskWith({ register: 'route53:Z2/elsewhere' }) }),
    kind: 'halt',
    code: 'register-moved',
    says: ['route53:Z2/elsewhere'],
  },
  {
    name: "another instance's data",
    seen: beside(formed(), { local: ANOTHERS }),
    kind: 'set-aside',
    code: 'foreign-data',
  },
  {
    name: "another instance's data, of another register too (a baked image)",
    seen: beside(formed(), { local: diskWith({ instanceId: idOf(9), register: 'route53:Z2/elsewhere' }) }),
    kind: 'set-aside',
    code: 'foreign-data',
  },
  {
    name: "another instance's data while the claim is unknown: started, two would vote under one id",
    seen: start({ zone: DARK, local: ANOTHERS }),
    kind: 'set-aside',
    code: 'foreign-data',
  },
  {
    name: 'data that nobody vouches for',
    seen: beside(formed(), { local: NAMELESS }),
    kind: 'set-aside',
    code: 'foreign-data',
  },
  {
    name: 'data that nobody vouches for while the claim is unknown: neither started nor moved',
    seen: start({ zone: DARK, local: NAMELESS }),
    kind: 'wait',
    code: 'claim-unknown',
  },
  {
    name: 'own data while the claim is unknown: started, never moved',
    seen: start({ zone: DARK, local: OWN }),
    kind: 'start-data',
    code: 'own-data-claim-unknown',
  },
  {
    name: 'unborn data while the claim is unknown: started, never moved',
    seen: start({ zone: DARK, local: UNBORN }),
    kind: 'start-data',
    code: 'own-data-claim-unknown',
  },
  {
    name: 'own data beside a claim that cannot be understood: started, never moved',
    seen: start({
      zone: known([{ name: namesOf(CLUSTER).claim, type: 'TXT', ttl: 5, values: ['"hello"'] }]),
      local: UNBORN,
    }),
    kind: 'start-data',
    code: 'own-data-claim-unknown',
  },
  {
    name: 'own data under a name that another stack took',
    seen: beside(formed({ stack: 'other-main' }), { local: OWN }),
    kind: 'wait',
    code: 'name-taken',
  },
  {
    name: 'own data while the cluster is seeded anew',
    seen: beside(formed({ state: 'reseeding' }), { local: OWN }),
    kind: 'wait',
    code: 'reseeding',
  },
];

const withoutClaim: readonly StartCase[] = [
  {
    name: 'no claim: whether a cluster answers is asked',
    seen: start({ local: OWN }),
    kind: 'ask',
    code: 'ask',
    facts: ['quorum'],
  },
  {
    name: 'no claim, and so nobody to ask: the data are started',
    seen: start({ local: OWN, quorum: NOBODY }),
    kind: 'start-data',
    code: 'own-data-quorum-lost',
    says: ['nobody says whom to ask'],
  },
  {
    name: 'no claim, and nobody of the fleet answers: the data are started',
    seen: start({ local: OWN, quorum: NOBODY, fleet: WHOLE }),
    kind: 'start-data',
    code: 'own-data-quorum-lost',
    says: ['no member answers'],
  },
  {
    name: 'no claim, not known as formed here, and nobody was asked: the fleet is, and then who is in it',
    seen: start({ local: UNBORN, quorum: NOBODY, claimStoodMs: 180_000 }),
    kind: 'ask',
    code: 'ask',
    facts: ['fleet', 'quorum'],
  },
  {
    name: 'no claim for the forming limit, not known as formed here, and the fleet is unknown',
    seen: start({ local: UNBORN, quorum: NOBODY, fleet: DARK, claimStoodMs: 180_000 }),
    kind: 'wait',
    code: 'own-data-no-claim',
    says: ['AWS does not answer'],
  },
  {
    name: 'no claim, and who answers lets no appliance in: the data are started, and that is said',
    seen: start({ local: OWN, quorum: REFUSED }),
    kind: 'start-data',
    code: 'own-data-refused',
    says: ['authentication is on'],
  },
  {
    name: 'no claim for the forming limit, never formed as far as is known, and who answers lets no appliance in',
    seen: start({ local: UNBORN, quorum: REFUSED, claimStoodMs: 180_000 }),
    kind: 'wait',
    code: 'start-refused',
    says: ['authentication is on'],
  },
  {
    name: 'no claim, and another cluster answers: that is no judgement of these data',
    seen: start({ local: OWN, quorum: answers([2, 3], 'ab'.repeat(8)) }),
    kind: 'start-data',
    code: 'own-data-no-claim',
  },
  {
    name: 'no claim, and the own cluster answers',
    seen: start({ local: OWN, quorum: answers([1, 2, 3]) }),
    kind: 'start-data',
    code: 'own-data',
  },
  {
    name: 'no claim, not known as formed here: the answer may be a stale one, so neither moved nor started at once',
    seen: start({ local: UNBORN, quorum: NOBODY, claimStoodMs: 179_999, fleet: WHOLE }),
    kind: 'wait',
    code: 'own-data-no-claim',
  },
  {
    name: 'no claim for the forming limit, and nobody of the fleet was asked whether its epoch was formed',
    seen: start(RELEASED),
    kind: 'ask',
    code: 'ask',
    facts: ['births'],
  },
  {
    name: 'no claim for the forming limit, and the own epoch was never formed (an operator released it)',
    seen: start({ ...RELEASED, births: birthsOf([2, nothingHeld(2)], [3, nothingHeld(3, { data: HELD })]) }),
    kind: 'set-aside',
    code: 'never-born',
  },
  {
    name: 'no claim for the forming limit, and one of the fleet does not say whether the own epoch was formed',
    seen: start({ ...RELEASED, births: birthsOf([2, nothingHeld(2)], [3, DARK]) }),
    kind: 'wait',
    code: 'own-data-no-claim',
    says: [idOf(3)],
  },
  {
    name: 'no claim for the forming limit, and SRV records stand: it was formed',
    seen: start({
      ...RELEASED,
      zone: known([{ name: namesOf(CLUSTER).srvServer, type: 'SRV', ttl: 60, values: ['1 1 2380 i-1'] }]),
    }),
    kind: 'start-data',
    code: 'own-data-no-claim',
    says: ['SRV records'],
  },
  {
    name: 'no claim for the forming limit, and no SRV records but others: who else knows is asked',
    seen: start({
      ...RELEASED,
      zone: known([{ name: CLUSTER, type: 'A', ttl: 60, values: ['10.0.0.1'] }]),
    }),
    kind: 'ask',
    code: 'ask',
    facts: ['births'],
  },
  {
    name: 'no claim for the forming limit, and at the address of one of the fleet another answers',
    seen: start({ ...RELEASED, births: birthsOf([2, nothingHeld(2)], [3, nothingHeld(2)]) }),
    kind: 'wait',
    code: 'own-data-no-claim',
    says: [idOf(3)],
  },
  {
    name: 'no claim for the forming limit, and at the address of one of the fleet an instance of another stack answers',
    seen: start({
      ...RELEASED,
      births: birthsOf([2, nothingHeld(2)], [3, nothingHeld(3, { stack: 'another' })]),
    }),
    kind: 'wait',
    code: 'own-data-no-claim',
    says: [idOf(3)],
  },
  {
    name: 'no claim for the forming limit, and another has it noted that the own epoch was formed: its quorum is away',
    seen: start({
      ...RELEASED,
      births: birthsOf([2, DARK], [3, nothingHeld(3, { data: { ...HELD, formed: true } })]),
    }),
    kind: 'start-data',
    code: 'own-data-no-claim',
    says: [idOf(3)],
  },
  {
    name: 'no claim for the forming limit, and another has data of another epoch that was formed',
    seen: start({
      ...RELEASED,
      births: birthsOf(
        [2, nothingHeld(2)],
        [3, nothingHeld(3, { data: { ...HELD, token: 'token-2', formed: true } })],
      ),
    }),
    kind: 'set-aside',
    code: 'never-born',
  },
  {
    name: 'no claim, not known as formed here, and another cluster answers',
    seen: start({ local: UNBORN, quorum: answers([2, 3], 'ab'.repeat(8)), fleet: WHOLE }),
    kind: 'wait',
    code: 'own-data-no-claim',
  },
  {
    name: 'no claim, not known as formed here, but the own cluster answers with quorum: it may well have been formed',
    seen: start({ local: UNBORN, quorum: answers([1, 2, 3]) }),
    kind: 'start-data',
    code: 'own-data',
  },
];

const besideForming: readonly StartCase[] = [
  {
    name: 'forming, the own epoch: what is in the log is asked',
    seen: beside(forming(), { local: UNBORN }),
    kind: 'ask',
    code: 'ask',
    facts: ['log'],
  },
  {
    name: 'forming, the own epoch',
    seen: beside(forming(), { local: UNBORN, log: logTo(3) }),
    kind: 'start-data',
    code: 'own-data-forming',
  },
  {
    name: 'forming, the own epoch, and nobody can say what is in the log',
    seen: beside(forming(), { local: UNBORN, log: DARK }),
    kind: 'start-data',
    code: 'own-data-forming',
  },
  {
    name: 'forming, the own epoch, and etcd was killed before it wrote whom it founds with: it would wait for ever',
    seen: beside(forming(), { local: UNBORN, log: logTo(0) }),
    kind: 'set-aside',
    code: 'damaged-data',
    says: ['no entry'],
  },
  {
    name: 'forming by an old reading, and formed as the data say: a log without an entry is no matter',
    seen: beside(forming(), { local: OWN, log: logTo(0), quorum: answers([1, 2, 3]) }),
    kind: 'start-data',
    code: 'own-data',
  },
  {
    name: 'forming, the own epoch, and damaged once',
    seen: beside(forming(), { local: UNBORN, damagedStarts: 1, log: logTo(3) }),
    kind: 'start-data',
    code: 'own-data-forming',
  },
  {
    name: 'forming, the own epoch, and damaged: nothing of it was promised, and it would never form',
    seen: beside(forming(), { local: UNBORN, damagedStarts: 2 }),
    kind: 'set-aside',
    code: 'damaged-data',
  },
  {
    name: 'forming a later epoch, the own was never formed',
    seen: beside(forming({ epoch: 2, token: 'token-2' }), { local: UNBORN }),
    kind: 'set-aside',
    code: 'never-born',
  },
  {
    name: 'forming the same epoch under another token, the own was never formed: which is the later one, nobody says',
    seen: beside(forming({ token: 'token-2' }), { local: UNBORN }),
    kind: 'start-data',
    code: 'own-data-forming',
  },
  {
    name: 'forming, as an older reading says, and the own data of that epoch are formed',
    seen: beside(forming(), { local: OWN, quorum: answers([1, 2, 3]) }),
    kind: 'start-data',
    code: 'own-data',
  },
  {
    name: 'forming, and the own data lived',
    seen: beside(forming({ token: 'token-2' }), { local: OWN }),
    kind: 'wait',
    code: 'data-beside-forming',
  },
];

/** design.md section 5, the table of starts: data here, and the claim formed. */
const besideFormed: readonly StartCase[] = [
  {
    name: 'whether it answers is asked',
    seen: beside(formed(), { local: OWN }),
    kind: 'ask',
    code: 'ask',
    facts: ['quorum'],
  },
  {
    name: 'present | present',
    seen: beside(formed(), { local: OWN, quorum: answers([1, 2, 3]) }),
    kind: 'start-data',
    code: 'own-data',
  },
  {
    name: 'present, formed while this appliance was away | present',
    seen: beside(formed(), { local: UNBORN, quorum: answers([1, 2, 3]) }),
    kind: 'start-data',
    code: 'own-data',
  },
  {
    name: 'present | absent, quorum answers',
    seen: beside(formed(), { local: OWN, quorum: answers([2, 3]) }),
    kind: 'set-aside',
    code: 'removed-while-away',
  },
  {
    name: 'present | removed and added again under a new id',
    seen: beside(formed(), { local: OWN, quorum: answers([member(1, { id: hexOf('new') }), 2, 3]) }),
    kind: 'set-aside',
    code: 'removed-while-away',
  },
  {
    name: 'present, own member id not noted yet | present without a name, at the own address',
    seen: beside(formed(), {
      local: diskWith({ memberId: null }),
      quorum: answers([
        member(1, { name: '', clientUrls: [], learner: true, peerUrls: [`http://${addressOf(1)}:2380`] }),
        2,
      ]),
    }),
    kind: 'start-data',
    code: 'own-data',
  },
  {
    name: 'present | nobody answers',
    seen: beside(formed(), { local: OWN, quorum: NOBODY }),
    kind: 'start-data',
    code: 'own-data-quorum-lost',
  },
  {
    name: 'present | a voter lets no appliance in: that is neither an answer nor lost quorum',
    seen: beside(formed(), { local: OWN, quorum: REFUSED }),
    kind: 'start-data',
    code: 'own-data-refused',
    says: ['authentication is on'],
  },
  {
    name: 'damaged | a voter lets no appliance in: kept, and tried again',
    seen: beside(formed(), { local: OWN, quorum: REFUSED, damagedStarts: 7 }),
    kind: 'start-data',
    code: 'damaged-data-kept',
    says: ['authentication is on'],
  },
  {
    name: 'damaged once | present: once is no damage',
    seen: beside(formed(), { local: OWN, quorum: answers([1, 2, 3]), damagedStarts: 1 }),
    kind: 'start-data',
    code: 'own-data',
  },
  {
    name: 'damaged | present',
    seen: beside(formed(), { local: OWN, quorum: answers([1, 2, 3]), damagedStarts: 2 }),
    kind: 'set-aside',
    code: 'damaged-data',
  },
  {
    name: 'damaged | nobody answers: kept, and tried again',
    seen: beside(formed(), { local: OWN, quorum: NOBODY, damagedStarts: 7 }),
    kind: 'start-data',
    code: 'damaged-data-kept',
  },
  {
    name: 'never born, beside a later epoch that lives',
    seen: beside(NEXT, { local: UNBORN, quorum: answers([2, 3], clusterIdOf('token-2')) }),
    kind: 'set-aside',
    code: 'never-born',
  },
  {
    name: 'unborn data of a later epoch than the claim that is read: the reading is the older one',
    seen: beside(forming(), {
      local: diskWith({ token: 'token-2', epoch: 2, formed: false, clusterId: clusterIdOf('token-2') }),
    }),
    kind: 'start-data',
    code: 'own-data-forming',
  },
  {
    name: 'unborn data of a later epoch than the formed claim that is read, whose cluster does not answer',
    seen: beside(formed(), {
      local: diskWith({ token: 'token-2', epoch: 2, formed: false, clusterId: clusterIdOf('token-2') }),
      quorum: NOBODY,
    }),
    kind: 'wait',
    code: 'data-beside-formed',
  },
  {
    name: 'unborn data of the same epoch as the formed claim of another cluster: whether that lives is asked first',
    seen: beside(REBORN, { local: UNBORN }),
    kind: 'ask',
    code: 'ask',
    facts: ['quorum'],
  },
  {
    name: 'unborn data of the same epoch as the formed claim of another cluster, which does not answer',
    seen: beside(REBORN, { local: UNBORN, quorum: NOBODY }),
    kind: 'wait',
    code: 'data-beside-formed',
  },
  {
    name: 'unborn data of the same epoch as the formed claim of another cluster, which answers',
    seen: beside(REBORN, { local: UNBORN, quorum: answers([2, 3], clusterIdOf('token-2')) }),
    kind: 'set-aside',
    code: 'other-cluster',
  },
  {
    name: 'formed, of another cluster: whether that lives is asked first',
    seen: beside(NEXT, { local: OWN }),
    kind: 'ask',
    code: 'ask',
    facts: ['quorum'],
  },
  {
    name: 'formed, of another cluster that does not answer: the reading may be the older one, and they stay',
    seen: beside(NEXT, { local: OWN, quorum: NOBODY }),
    kind: 'wait',
    code: 'data-beside-formed',
  },
  {
    name: 'formed, of another cluster that lets no appliance in: they stay',
    seen: beside(NEXT, { local: OWN, quorum: REFUSED }),
    kind: 'wait',
    code: 'data-beside-formed',
    says: ['authentication is on'],
  },
  {
    name: 'of another cluster than the one that lives',
    seen: beside(NEXT, { local: OWN, quorum: answers([2, 3], clusterIdOf('token-2')) }),
    kind: 'set-aside',
    code: 'other-cluster',
  },
  {
    name: 'of a cluster that is not noted yet, under the token of the claim',
    seen: beside(formed(), { local: diskWith({ clusterId: null }), quorum: answers([1, 2, 3]) }),
    kind: 'start-data',
    code: 'own-data',
  },
  {
    name: 'of a cluster that is not noted yet, under another token than that of the claim',
    seen: beside(NEXT, {
      local: diskWith({ clusterId: null }),
      quorum: answers([2, 3], NEXT.clusterId ?? ''),
    }),
    kind: 'set-aside',
    code: 'other-cluster',
  },
  {
    name: 'of another cluster, though under the same token',
    seen: beside(formed({ clusterId: 'ab'.repeat(8) }), {
      local: OWN,
      quorum: answers([2, 3], 'ab'.repeat(8)),
    }),
    kind: 'set-aside',
    code: 'other-cluster',
  },
  {
    name: 'the claim was written again under a new token: the cluster is the same',
    seen: beside(formed({ token: 'token-2' }), { local: OWN, quorum: answers([1, 2, 3]) }),
    kind: 'start-data',
    code: 'own-data',
  },
  {
    name: 'the claim was written again before this appliance had seen the first one formed: the cluster is the same',
    seen: beside(formed({ epoch: 2, token: 'token-2' }), { local: UNBORN, quorum: answers([1, 2, 3]) }),
    kind: 'start-data',
    code: 'own-data',
  },
];

const asideOf = (more: Partial<DataIdentity>): AsideEntry => ({
  directory: 'aside/one',
  identity: identity(more),
  at: '2026-01-01',
  reason: 'removed-while-away',
});
const LEARNERS = { ...OWN, aside: [asideOf({ voter: false })] };
const UNBORN_LEARNERS = [asideOf({ voter: false, formed: false })];
/** Of an epoch that was replaced since. */
const OLD_MARK = { ...EMPTY_DISK, mark: { token: 'token-0', nonce: 'n', started: true } };
const SHORT = known({ freeBytes: 255 * 1024 * 1024, totalBytes: 100e9 });
const ENOUGH = known({ freeBytes: 256 * 1024 * 1024, totalBytes: 100e9 });
const serving = { quorum: answers([1, 2, 3]) };

/** Its etcd ended for want of room, or a mark is to be written: what nobody needs goes, and nothing is waited for. */
const onFullDisk: readonly StartCase[] = [
  {
    name: 'the disk was full, and data are set aside: how much room there is, is asked',
    seen: beside(formed(), { ...serving, local: LEARNERS, endedFull: true }),
    kind: 'ask',
    code: 'ask',
    facts: ['room'],
  },
  {
    name: 'the disk is full of data of a learner: they go',
    seen: beside(formed(), { ...serving, local: LEARNERS, endedFull: true, room: SHORT }),
    kind: 'discard',
    code: 'discard-never-voter',
    says: ['aside/one'],
  },
  {
    name: 'the disk is full of data of a learner, and nobody answers: they go, and these may be what quorum needs',
    seen: beside(formed(), { quorum: NOBODY, local: LEARNERS, endedFull: true, room: SHORT }),
    kind: 'discard',
    code: 'discard-never-voter',
  },
  {
    name: 'the disk is full of data of a learner, and the claim is unknown: they go',
    seen: start({ zone: DARK, local: LEARNERS, endedFull: true, room: SHORT }),
    kind: 'discard',
    code: 'discard-never-voter',
  },
  {
    name: 'the disk is full of data that were never born, and a later epoch lives: they go',
    seen: beside(NEXT, {
      quorum: answers([1, 2, 3], NEXT.clusterId ?? ''),
      local: {
        ...diskWith({ epoch: 2, token: 'token-2', clusterId: NEXT.clusterId }),
        aside: [asideOf({ formed: false })],
      },
      endedFull: true,
      room: SHORT,
    }),
    kind: 'discard',
    code: 'discard-never-born',
  },
  {
    name: 'the disk is full of data that were never born, and the claim is unknown: they stay',
    seen: start({
      zone: DARK,
      local: { ...OWN, aside: [asideOf({ formed: false })] },
      endedFull: true,
      room: SHORT,
    }),
    kind: 'start-data',
    code: 'own-data-claim-unknown',
  },
  {
    name: "the disk is full of a voter's data: they stay, and the own are started all the same",
    seen: beside(formed(), {
      ...serving,
      local: { ...OWN, aside: [asideOf({})] },
      endedFull: true,
      room: SHORT,
    }),
    kind: 'start-data',
    code: 'own-data',
  },
  {
    name: 'the disk was full, and nothing is set aside: started without a look',
    seen: beside(formed(), { ...serving, local: OWN, endedFull: true }),
    kind: 'start-data',
    code: 'own-data',
  },
  {
    name: 'the disk was full, and has room by now',
    seen: beside(formed(), { ...serving, local: LEARNERS, endedFull: true, room: ENOUGH }),
    kind: 'start-data',
    code: 'own-data',
  },
  {
    name: 'the disk was full, and nobody knows its room',
    seen: beside(formed(), { ...serving, local: LEARNERS, endedFull: true, room: DARK }),
    kind: 'start-data',
    code: 'own-data',
  },
  {
    name: 'the disk is full of data of a learner, and another stack took the name: nothing is started, and nothing goes',
    seen: beside(formed({ stack: 'other-main' }), { local: LEARNERS, endedFull: true, room: SHORT }),
    kind: 'wait',
    code: 'name-taken',
  },
  {
    name: 'etcd ended for another reason: no look at the disk keeps it down',
    seen: beside(formed(), { ...serving, local: LEARNERS, room: SHORT }),
    kind: 'start-data',
    code: 'own-data',
  },
  {
    name: 'no data, and a birth to claim: how much room there is for the mark, is asked where data are set aside',
    seen: start({ ...EMPTY_FLEET, local: { ...EMPTY_DISK, aside: UNBORN_LEARNERS } }),
    kind: 'ask',
    code: 'ask',
    facts: ['room'],
  },
  {
    name: 'a birth to claim, and no room for the mark: data of a learner go',
    seen: start({ ...EMPTY_FLEET, local: { ...EMPTY_DISK, aside: UNBORN_LEARNERS }, room: SHORT }),
    kind: 'discard',
    code: 'discard-never-voter',
  },
  {
    name: 'a birth to claim, and room for the mark',
    seen: start({ ...EMPTY_FLEET, local: { ...EMPTY_DISK, aside: UNBORN_LEARNERS }, room: ENOUGH }),
    kind: 'register',
    code: 'birth',
  },
  {
    name: 'an old mark to forget, and no room to write that: data of a learner go',
    seen: beside(forming({ epoch: 2 }), {
      local: { ...OLD_MARK, aside: [asideOf({ voter: false })] },
      room: SHORT,
    }),
    kind: 'discard',
    code: 'discard-never-voter',
  },
  {
    name: 'an old mark to forget, no room, and data of a voter that nothing stands for: they stay, and it is tried',
    seen: beside(forming({ epoch: 2 }), {
      local: { ...OLD_MARK, aside: [asideOf({})] },
      room: SHORT,
    }),
    kind: 'clear-mark',
    code: 'stale-mark',
  },
  {
    name: 'a claim to write that needs no mark: no look at the disk holds it up',
    seen: beside(forming({ epoch: 1 }), {
      local: {
        ...EMPTY_DISK,
        mark: { token: 'token-1', nonce: 'n', started: true },
        aside: [asideOf({ voter: false })],
      },
      room: SHORT,
    }),
    kind: 'register',
    code: 'data-lost',
  },
];

export const dataCases: readonly StartCase[] = [
  ...whose,
  ...withoutClaim,
  ...besideForming,
  ...besideFormed,
  ...onFullDisk,
];

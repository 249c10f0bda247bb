import { beforeEach, describe, expect, it } from 'vitest';
import type { Claim } from '../../../src/core/claim.ts';
import { claimRecord, formedClaim, foundingClaim } from '../../../src/core/claim.ts';
import { known, unknown } from '../../../src/core/known.ts';
import { markRecord } from '../../../src/core/mark.ts';
import { namesOf } from '../../../src/core/names.ts';
import { reason } from '../../../src/core/reason.ts';
import type { StartAction, StartObservation } from '../../../src/core/start.ts';
import { encodePart, UPGRADE_KEYS } from '../../../src/core/upgrade-record.ts';
import { minorOf } from '../../../src/core/versions.ts';
import type { Context } from '../../../src/daemon/context.ts';
import { createContext } from '../../../src/daemon/context.ts';
import type { Ports } from '../../../src/daemon/ports.ts';
import { execute } from '../../../src/daemon/start-executors.ts';
import { decide } from '../../../src/daemon/starter.ts';
import { ApplianceError } from '../../../src/errors.ts';
import type { Bench, Host } from '../../fakes/bench.ts';
import { createBench, NAME, NEVER, TOKEN } from '../../fakes/bench.ts';
import { voterIdentity } from '../../fakes/bench-voter.ts';
import { createEtcdFiles } from '../../fakes/etcd/files.ts';

let bench: Bench;
let host: Host;
/** What was done to disk, register, etcd and the others, in its order. */
let steps: string[];
let context: Context;

beforeEach(() => {
  bench = createBench(3);
  host = bench.host(0);
  steps = [];
  context = createContext(host.context.options, noted(host.ports));
});

function noted(ports: Ports): Ports {
  return {
    ...ports,
    data: {
      ...ports.data,
      writeIdentity: async (identity, signal) => {
        steps.push(`identity ${identity.epoch} ${identity.formed ? 'formed' : 'unformed'}`);
        await ports.data.writeIdentity(identity, signal);
      },
      writeMark: async (mark, signal) => {
        steps.push(mark === null ? 'no mark' : `mark ${mark.started ? 'started' : 'made'}`);
        await ports.data.writeMark(mark, signal);
      },
    },
    zone: {
      ...ports.zone,
      change: async (changes, signal) => {
        steps.push(`change ${changes.length}`);
        return await ports.zone.change(changes, signal);
      },
    },
    process: {
      ...ports.process,
      start: async (start, signal) => {
        steps.push(`start ${start.initial?.state ?? 'data'}`);
        return await ports.process.start(start, signal);
      },
    },
    admin: {
      ...ports.admin,
      addLearner: async (...call) => {
        steps.push('add');
        return await ports.admin.addLearner(...call);
      },
    },
    peers: {
      ...ports.peers,
      askBirth: async (address, hint) => {
        steps.push(`hint ${hint.epoch} to ${address}`);
        return await Promise.resolve({ known: false, reason: 'nobody' });
      },
    },
  };
}

const founders = () =>
  bench.hosts.map(({ self }) => ({ instanceId: self.id, region: self.region, address: self.address }));
const birth = (token = TOKEN): Claim =>
  foundingClaim({ stack: host.self.stack, token, groups: [], founders: founders(), before: null });
const mark = { token: TOKEN, nonce: 'n', started: false };

/** An observation as the starter makes it now. */
async function seen(more: Partial<StartObservation> = {}): Promise<StartObservation> {
  const clocks = { waitedMs: 0, standing: { code: '', forMs: 0 } };
  const idle = (): StartAction => ({ kind: 'wait', reason: reason('forming-wait', 'test') });
  const decision = decide(context, { afterCrash: false, damagedStarts: 0 }, clocks, NEVER, idle);
  return { ...(await bench.soon(decision)).seen, ...more };
}

const run = async (action: StartAction, more: Partial<StartObservation> = {}) =>
  await bench.soon(execute(context, action, await seen(more), NEVER));

describe('a change of the register', () => {
  const claim = (): StartAction => ({
    kind: 'register',
    changes: [
      { action: 'CREATE', record: claimRecord(namesOf(NAME).claim, birth()) },
      { action: 'CREATE', record: markRecord(NAME, { instanceId: host.self.id, token: TOKEN, nonce: 'n' }) },
    ],
    mark,
    readAgain: false,
    hint: { epoch: 1, addresses: ['10.0.0.2', '10.0.0.3'] },
    reason: reason('birth', 'test'),
  });

  it('has its mark on disk before the batch is sent, and tells the founders after it', async () => {
    expect(await run(claim())).toEqual({ nextInMs: 0 });
    expect(steps).toEqual(['mark made', 'change 2', 'hint 1 to 10.0.0.2', 'hint 1 to 10.0.0.3']);
    expect(bench.zone.taken).toHaveLength(1);
  });

  it('tells nobody where another was first, and looks again at once', async () => {
    const theirs = claimRecord(namesOf(NAME).claim, birth('theirs'));
    await host.ports.zone.change([{ action: 'CREATE', record: theirs }], NEVER);
    expect(await run(claim())).toEqual({ nextInMs: 0 });
    expect(steps).toEqual(['mark made', 'change 2']);
  });

  it('is not in a hurry where looking again has changed nothing', async () => {
    bench.zone.occupy(namesOf(NAME).claim);
    await run(claim());
    const standing = { code: 'birth', forMs: 20 };
    const again = await run(claim(), { standing });
    expect('nextInMs' in again && again.nextInMs).toBeGreaterThanOrEqual(100);
    expect('nextInMs' in again && again.nextInMs).toBeLessThanOrEqual(500);
    const after = await run(claim(), { standing: { ...standing, forMs: 60_000 } });
    expect('nextInMs' in after && after.nextInMs).toBeGreaterThanOrEqual(1_000);
  });

  it.each(['lost', 'unknown', 'busy'] as const)(
    'tells nobody where nobody knows of it or it must wait, and looks again soon: %s',
    async (failure) => {
      bench.zone.failNext(failure);
      const result = await run(claim());
      expect('nextInMs' in result && result.nextInMs).toBeGreaterThanOrEqual(100);
      expect('nextInMs' in result && result.nextInMs).toBeLessThanOrEqual(500);
      expect(steps).toEqual(['mark made', 'change 2']);
    },
  );

  it('is read again where the plan asks for it', async () => {
    const action = { ...claim(), readAgain: true } as StartAction;
    await run(action);
    const calls = bench.zone.calls();
    await bench.soon(context.register.read(60_000, NEVER));
    expect(bench.zone.calls()).toBe(calls + 1);
  });
});

describe('founding', () => {
  const found = (claim = birth()): StartAction => ({
    kind: 'found',
    claim,
    mark: { ...mark, started: true },
    reason: reason('found', 'test'),
  });

  it('flushes the identity, then the mark as started, and only then starts etcd with new', async () => {
    const result = await run(found());
    expect('pid' in result).toBe(true);
    expect(steps).toEqual(['identity 1 unformed', 'mark started', 'start new']);
    expect(host.disk.identity).toMatchObject({
      token: TOKEN,
      instanceId: 'i-01',
      formed: false,
      version: '3.5.35',
    });
    expect(host.disk.mark).toEqual({ ...mark, started: true });
  });

  it.each([
    { far: false, timing: undefined },
    { far: true, timing: { heartbeatMs: 300, electionMs: 3_000 } },
  ])('gives etcd the timing of the distance: %o', async ({ far, timing }) => {
    const started: unknown[] = [];
    const { process, ...ports } = noted(host.ports);
    context = createContext(
      { ...host.context.options, far },
      {
        ...ports,
        process: {
          ...process,
          start: async (start, signal) => {
            started.push(start.timing);
            return await process.start(start, signal);
          },
        },
      },
    );
    await run(found());
    expect(started).toEqual([timing]);
  });

  it('is of a formed epoch where it is late', async () => {
    await run(found(formedClaim(birth(), 'c'.repeat(16), [])));
    expect(steps[0]).toBe('identity 1 formed');
  });

  it('names cluster and member as etcd will', async () => {
    await run(found());
    await bench.clock.advance(100);
    expect(host.disk.etcd).toMatchObject({
      clusterId: host.disk.identity?.clusterId,
      memberId: host.disk.identity?.memberId,
    });
  });

  const install = (versions: readonly string[], etcdVersion: string | null = null): void => {
    const { ports } = context;
    const binaries = versions.map((version) => ({ version, minor: minorOf(version) }));
    const process = { ...ports.process, binaries: async () => await Promise.resolve(binaries) };
    context = createContext({ ...host.context.options, etcdVersion }, { ...ports, process });
  };

  it.each([
    ['of the minor that the claim fixes, its newest', null, '3.4.45'],
    ['of the minor that the claim fixes, whatever is configured', '3.6', '3.4.45'],
    ['of the minor that the claim fixes, the one that is configured', '3.4.23', '3.4.23'],
  ])('runs the etcd %s', async (_name, configured, version) => {
    install(['3.4.23', '3.4.45', '3.5.35', '3.6.16'], configured);
    expect(await run(found({ ...birth(), etcd: '3.4' }))).toMatchObject({ version });
    expect(host.disk.identity).toMatchObject({ version });
  });

  it('runs what the claim fixes though data that are gone were of another minor', async () => {
    install(['3.4.45', '3.6.16']);
    host.disk.identity = voterIdentity(host, { version: '3.6.16' });
    expect(await run(found({ ...birth(), etcd: '3.4' }))).toMatchObject({ version: '3.4.45' });
  });

  it('writes nothing where the minor that the claim fixes is not installed', async () => {
    install(['3.6.16']);
    expect(await run(found({ ...birth(), etcd: '3.4' }))).toEqual({ nextInMs: 5_000 });
    expect(steps).toEqual([]);
    expect(bench.log.join()).toContain('no etcd 3.4, which the claim fixes, is installed; installed: 3.6.16');
  });

  it('is the configured one where the claim fixes nothing: an older appliance wrote it', async () => {
    install(['3.4.45', '3.6.16'], '3.4');
    expect(await run(found())).toMatchObject({ version: '3.4.45' });
  });

  it('writes nothing where no binary fits', async () => {
    install([]);
    expect(await run(found())).toEqual({ nextInMs: 5_000 });
    expect(steps).toEqual([]);
  });
});

describe('joining', () => {
  const join = (): StartAction => ({
    kind: 'join',
    endpoint: bench.host(1).url,
    claim: formedClaim(birth(), 'c'.repeat(16), []),
    reason: reason('join', 'test'),
  });

  /** A cluster of the first two hosts, and the third, that joins it. */
  async function pair(): Promise<Partial<StartObservation>> {
    bench = createBench(3);
    const cluster = await bench.form();
    await bench.clock.advance(5_000);
    cluster.removeMember(cluster.members[2]?.id ?? '');
    await bench.clock.advance(6_000);
    host = bench.host(2);
    host.disk.wipe();
    context = createContext(host.context.options, noted(host.ports));
    const list = { clusterId: cluster.id, answeredBy: '', members: cluster.list() };
    return { quorum: { kind: 'answers', endpoint: bench.host(1).url, list } };
  }

  it('adds itself, flushes who it is, and starts with the list as it is then', async () => {
    const quorum = await pair();
    const result = await run(join(), quorum);
    expect('pid' in result).toBe(true);
    expect(steps).toEqual(['add', 'identity 1 formed', 'start existing']);
    await bench.clock.advance(5_000);
    expect(host.disk.etcd?.memberId).toBe(host.disk.identity?.memberId);
    expect(bench.etcd.processAt('10.0.0.3')?.serving).toBe(true);
  });

  it.each([
    ['its configuration', '3.5.34', null, '3.5.34'],
    ['an order, whatever its configuration says', null, '3.5.34', '3.5.34'],
    ['an order for its minor', '3.5.34', '3.5', '3.5.35'],
  ])('starts the very patch that is meant by %s', async (_name, etcdVersion, order, version) => {
    const quorum = await pair();
    const { ports } = host;
    const binaries = ['3.5.34', '3.5.35'].map((it) => ({ version: it, minor: '3.5' }));
    const process = { ...ports.process, binaries: async () => await Promise.resolve(binaries) };
    context = createContext({ ...host.context.options, etcdVersion }, { ...ports, process });
    const to = encodePart(order);
    await bench.soon(ports.admin.put(bench.host(0).url, UPGRADE_KEYS.to, to, {}, NEVER));
    await run(join(), quorum);
    expect(host.disk.identity?.version).toBe(version);
  });

  it('starts with the list as it is when a dead member is evicted after the add', async () => {
    bench = createBench(5);
    const cluster = await bench.form();
    await bench.clock.advance(5_000);
    const [, , , dead, own] = bench.hosts.map(
      ({ self }) => cluster.members.find((it) => it.name === self.id)?.id,
    );
    cluster.removeMember(own ?? '');
    await bench.clock.advance(6_000);
    host = bench.host(4);
    host.disk.wipe();
    bench.etcd.kill(bench.host(3).self.address);
    const { data, process } = host.ports;
    const named: string[] = [];
    context = createContext(host.context.options, {
      ...host.ports,
      data: {
        ...data,
        writeIdentity: async (identity, signal) => {
          cluster.removeMember(dead ?? '');
          await data.writeIdentity(identity, signal);
        },
      },
      process: {
        ...process,
        start: async (start, signal) => {
          named.push(...(start.initial?.cluster.map(({ name }) => name) ?? []));
          return await process.start(start, signal);
        },
      },
    });
    const list = { clusterId: cluster.id, answeredBy: '', members: cluster.list() };
    await run(join(), { quorum: { kind: 'answers', endpoint: bench.host(1).url, list } });
    expect(named.toSorted()).toEqual([0, 1, 2, 4].map((index) => bench.host(index).self.id));
  });

  it('starts no etcd where it is removed between the add and the start', async () => {
    const quorum = await pair();
    const [cluster] = bench.etcd.clusters.values();
    const { data } = context.ports;
    const writeIdentity: Ports['data']['writeIdentity'] = async (identity, signal) => {
      await data.writeIdentity(identity, signal);
      cluster?.removeMember(identity.memberId ?? '');
    };
    context = createContext(host.context.options, { ...context.ports, data: { ...data, writeIdentity } });
    expect(await run(join(), quorum)).toHaveProperty('nextInMs');
    expect(steps).toEqual(['add', 'identity 1 formed']);
  });

  it('is not added while a downgrade goes on of which the members of 3.5 do not tell', async () => {
    const quorum = await pair();
    const { admin } = context.ports;
    const asked: string[] = [];
    const downgrade: Ports['admin']['downgrade'] = async (endpoint, action, version) => {
      asked.push(`${endpoint} ${action} ${version}`);
      const refused = { ok: false, code: 'downgrade-in-progress', message: 'test' } as const;
      return await Promise.resolve(refused);
    };
    context = createContext(host.context.options, { ...context.ports, admin: { ...admin, downgrade } });
    expect(await run(join(), quorum)).toHaveProperty('nextInMs');
    expect(steps).toEqual([]);
    expect(new Set(asked)).toEqual(new Set([`${bench.host(1).url} validate 3.4`]));
  });

  it.each([
    ['the cluster has gone up', { cluster: '3.6.0' }],
    ['a downgrade has begun', { downgradeTarget: '3.4.0' }],
  ])('starts no etcd where it is listed and %s since it chose', async (_name, more) => {
    const quorum = await pair();
    const { admin } = context.ports;
    const versions: Ports['admin']['versions'] = async (endpoint, signal) => {
      const told = await admin.versions(endpoint, signal);
      return told.known && steps.includes('add') ? known({ ...told.value, ...more }) : told;
    };
    context = createContext(host.context.options, { ...context.ports, admin: { ...admin, versions } });
    expect(await run(join(), quorum)).toHaveProperty('nextInMs');
    expect(steps).toEqual(['add', 'identity 1 formed']);
  });

  it.each([
    [
      'asks again where nobody tells a version once it is listed',
      2_000,
      ['add', 'identity 1 formed', 'start existing'],
    ],
    ['starts no etcd where nobody goes on telling one', 60_000, ['add', 'identity 1 formed']],
  ])('%s', async (_name, silentMs, done) => {
    const quorum = await pair();
    const { admin } = context.ports;
    let heard = true;
    const addLearner: Ports['admin']['addLearner'] = async (...call) => {
      heard = false;
      bench.clock.after(silentMs, () => (heard = true));
      return await admin.addLearner(...call);
    };
    const versions: Ports['admin']['versions'] = async (endpoint, signal) =>
      heard ? await admin.versions(endpoint, signal) : unknown('no answer');
    context = createContext(host.context.options, {
      ...context.ports,
      admin: { ...admin, addLearner, versions },
    });
    const result = await run(join(), quorum);
    expect('pid' in result).toBe(done.length > 2);
    expect(steps).toEqual(done);
  });

  it.each([0, 1])(
    'starts the own minor whatever another cluster runs that answers at the address of a dead member: the %i. of the list',
    async (index) => {
      const quorum = await pair();
      const dead = bench.host(index).url;
      const { admin, process } = context.ports;
      const versions: Ports['admin']['versions'] = async (endpoint, signal) => {
        const told = await admin.versions(endpoint, signal);
        const theirs = { server: '3.6.16', cluster: '3.6.0' };
        return told.known && endpoint === dead ? known({ ...told.value, ...theirs }) : told;
      };
      const status: Ports['admin']['status'] = async (endpoint, signal) => {
        const told = await admin.status(endpoint, signal);
        const theirs = { clusterId: 'f'.repeat(16), memberId: 'e'.repeat(16) };
        return told.known && endpoint === dead ? known({ ...told.value, ...theirs }) : told;
      };
      const started: string[] = [];
      const start: Ports['process']['start'] = async (what, signal) => {
        started.push(minorOf(what.version));
        return await process.start(what, signal);
      };
      context = createContext(host.context.options, {
        ...context.ports,
        admin: { ...admin, versions, status },
        process: { ...process, start },
      });
      const { quorum: answer } = quorum;
      if (answer?.kind !== 'answers') throw new Error('the cluster answers');
      const endpoint = bench.host(1 - index).url;
      await run({ ...join(), endpoint } as StartAction, { quorum: { ...answer, endpoint } });
      expect(started).toEqual(['3.5']);
    },
  );

  it('starts no etcd while a member that is behind lists a predecessor at its address', async () => {
    const quorum = await pair();
    const behind = bench.host(0).url;
    let old = true;
    const { admin } = context.ports;
    const memberList: Ports['admin']['memberList'] = async (endpoint, options, signal) => {
      const answer = await admin.memberList(endpoint, options, signal);
      if (endpoint !== behind || !answer.known || !old) return answer;
      if (options.linearizable) return { known: false, reason: 'no answer in 2000 ms' };
      const members = answer.value.members.map((it) => (it.learner ? { ...it, id: 'd'.repeat(16) } : it));
      return { known: true, value: { ...answer.value, members } };
    };
    context = createContext(host.context.options, { ...context.ports, admin: { ...admin, memberList } });
    bench.clock.after(2_000, () => (old = false));
    const began = bench.clock.now();
    expect(await run(join(), quorum)).toHaveProperty('pid');
    expect(bench.clock.now() - began).toBeGreaterThanOrEqual(2_000);
    expect(steps).toEqual(['add', 'identity 1 formed', 'start existing']);
  });

  /** A learner that was added, and whose etcd ended before it began, with the list as it is by then. */
  async function neverBegan(): Promise<Partial<StartObservation>> {
    const { quorum } = await pair();
    const { process } = context.ports;
    const fails: Ports['process']['start'] = async () =>
      await Promise.resolve({ known: false, reason: 'it ends' });
    context = createContext(host.context.options, {
      ...context.ports,
      process: { ...process, start: fails },
    });
    await run(join(), quorum === undefined ? {} : { quorum });
    const [cluster] = bench.etcd.clusters.values();
    const { identity } = host.disk;
    host.disk.etcd = createEtcdFiles(cluster?.id ?? '', identity?.memberId ?? '');
    context = createContext(host.context.options, noted(host.ports));
    context.state.lastExit = {
      code: 1,
      signal: null,
      saysRemoved: false,
      saysDamaged: null,
      saysOtherMembers: true,
      lastWords: 'discovery failed',
    };
    steps = [];
    const list = { clusterId: cluster?.id ?? '', answeredBy: '', members: cluster?.list() ?? [] };
    return { quorum: { kind: 'answers', endpoint: bench.host(1).url, list } };
  }
  const ownData = (): StartAction => ({ kind: 'start-data', reason: reason('own-data', 'test') });

  it('goes on as the member that it is where its etcd ended before it began', async () => {
    const quorum = await neverBegan();
    const memberId = host.disk.identity?.memberId;
    await run(ownData(), quorum);
    expect(steps).toEqual(['identity 1 formed', 'start existing']);
    await bench.clock.advance(5_000);
    expect(host.disk.identity?.memberId).toBe(memberId);
    expect(host.disk.etcd?.memberId).toBe(memberId);
    expect(bench.etcd.processAt('10.0.0.3')?.serving).toBe(true);
  });

  it('starts no etcd while nobody says who the members are by now, and goes on as soon as they do', async () => {
    const quorum = await neverBegan();
    const nobody = await run(ownData(), { quorum: { kind: 'nobody', foreign: [], refused: [] } });
    expect(nobody).toHaveProperty('nextInMs');
    expect(steps).toEqual([]);
    expect(bench.log.some((line) => line.includes('members-unheard'))).toBe(true);
    await run(ownData(), quorum);
    expect(steps).toEqual(['identity 1 formed', 'start existing']);
  });

  it('starts its data as they are where etcd ended otherwise, or may have had a vote', async () => {
    const quorum = await neverBegan();
    const { lastExit } = context.state;
    context.state.lastExit = lastExit === null ? null : { ...lastExit, saysOtherMembers: false };
    await run(ownData(), quorum);
    expect(steps).toEqual(['start data']);
    await host.ports.process.adopt(NEVER);
    const again = await neverBegan();
    const { identity } = host.disk;
    host.disk.identity = identity === null ? null : { ...identity, voter: true };
    await run(ownData(), again);
    expect(steps).toEqual(['start data']);
  });

  /** Where it adds itself, a member of another cluster answers as soon as it has done so, or what is named here. */
  function movedOn(after: 'add' | 'status'): void {
    const { admin } = context.ports;
    const isThere = (): boolean => after === 'status' || steps.includes('add');
    const theirs = 'f'.repeat(16);
    const status: Ports['admin']['status'] = async (endpoint, signal) => {
      const told = await admin.status(endpoint, signal);
      return told.known && isThere() ? known({ ...told.value, clusterId: theirs }) : told;
    };
    const addLearner: Ports['admin']['addLearner'] = async () => {
      steps.push('add');
      const list = { clusterId: theirs, answeredBy: 'b'.repeat(16), members: [] };
      return await Promise.resolve({ ok: true, value: { memberId: 'e'.repeat(16), list } });
    };
    const removeMember: Ports['admin']['removeMember'] = async (endpoint, memberId) => {
      steps.push(`remove ${memberId} at ${endpoint}`);
      return await Promise.resolve({ ok: true, value: undefined });
    };
    context = createContext(host.context.options, {
      ...context.ports,
      admin: { ...admin, status, addLearner, removeMember },
    });
  }

  it('takes itself out again where another cluster took it in: EC2 gives the address of who is gone to others', async () => {
    const quorum = await pair();
    movedOn('add');
    expect(await run(join(), quorum)).toHaveProperty('nextInMs');
    expect(steps).toEqual(['add', `remove ${'e'.repeat(16)} at ${bench.host(1).url}`]);
    expect(host.disk.identity).toBe(null);
    expect(bench.log.join('\n')).toContain('address-reused');
  });

  it('does not add itself where another cluster answers by then', async () => {
    const quorum = await pair();
    movedOn('status');
    expect(await run(join(), quorum)).toHaveProperty('nextInMs');
    expect(steps).toEqual([]);
    expect(host.disk.identity).toBe(null);
  });

  it('starts nothing where it was refused, and comes back soon', async () => {
    const quorum = await pair();
    const [cluster] = bench.etcd.clusters.values();
    cluster?.addLearner('http://10.0.9.9:2380');
    const result = await run(join(), quorum);
    expect('nextInMs' in result && result.nextInMs).toBeGreaterThanOrEqual(100);
    expect(steps).toEqual(['add']);
    expect(host.disk.identity).toBe(null);
  });

  it.each([
    ['peer-url-exists', 1_000, 5_000],
    ['too-many-learners', 200, 1_000],
  ] as const)('that is refused again and again has longer pauses: %s', async (code, least, most) => {
    const quorum = await pair();
    context = createContext(host.context.options, {
      ...host.ports,
      admin: { ...host.ports.admin, addLearner: async () => ({ ok: false, code, message: 'no' }) },
    });
    const action = join();
    const standing = { code: action.reason.code, forMs: 60_000 };
    const result = await run(action, { ...quorum, standing });
    expect('nextInMs' in result && result.nextInMs).toBeGreaterThanOrEqual(least);
    expect('nextInMs' in result && result.nextInMs).toBeLessThanOrEqual(most);
  });
});

describe('the other steps', () => {
  it('set data aside with their identity, and delete nothing', async () => {
    await bench.form();
    bench.etcd.kill(host.self.address);
    const { etcd } = host.disk;
    const identity = voterIdentity(host);
    host.disk.identity = identity;
    await run({ kind: 'set-aside', reason: reason('other-cluster', 'test') });
    expect(host.disk.etcd).toBe(null);
    expect(host.disk.identity).toBe(null);
    expect(host.disk.aside).toMatchObject([{ identity, etcd, reason: 'other-cluster' }]);
  });

  it('put a mark of no epoch in the place of a stale one', async () => {
    host.disk.mark = { ...mark, started: true };
    const next = { token: null, nonce: 'next', started: false };
    await run({ kind: 'clear-mark', mark: next, reason: reason('stale-mark', 'test') });
    expect(host.disk.mark).toEqual(next);
  });

  it('halt with the exit code of configuration', async () => {
    const halting = run({ kind: 'halt', reason: reason('register-moved', 'two registers') });
    await expect(halting).rejects.toThrow('two registers');
    await expect(halting).rejects.toSatisfy(
      (it) => it instanceof ApplianceError && it.code === 'configuration',
    );
  });

  it('wait for as long as what they wait for takes', async () => {
    expect(await run({ kind: 'wait', reason: reason('not-my-turn', 'test') })).toEqual({ nextInMs: 250 });
    expect(await run({ kind: 'wait', reason: reason('forming-wait', 'test') })).toEqual({ nextInMs: 500 });
    expect(await run({ kind: 'wait', reason: reason('claim-unknown', 'test') })).toEqual({ nextInMs: 1_000 });
  });
});

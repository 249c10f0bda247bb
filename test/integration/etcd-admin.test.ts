import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { isOutOfSpace } from '../../src/core/members.ts';
import { createAdmin } from '../../src/etcd/admin.ts';
import { type Probe, probeEtcd } from '../../src/etcd/probe.ts';
import { calm, fullCluster, labCluster, labMember, must, untilServing } from '../etcd-lab.ts';
import { eventually, ownAddress, TESTED_MINORS } from '../tools.ts';

/** A cluster of one, and a learner that it has and that is not started. */
async function withLearner(minor: string, stack: AsyncDisposableStack) {
  const { admin, members } = await labCluster(minor, 1, stack);
  const [first] = members;
  if (first === undefined) throw new Error('no member');
  const joiner = stack.use(await labMember(minor, 'n2'));
  const added = await admin.addLearner(first.endpoint, joiner.peerUrl, calm);
  if (!added.ok) throw new Error(added.message);
  return { admin, first, joiner, ...added.value };
}

describe.concurrent.each(TESTED_MINORS)('the admin client with etcd %s', (minor) => {
  test('hears from a member that is out of space: no lease, and still another may be added', async () => {
    await using stack = new AsyncDisposableStack();
    const { admin, member } = await fullCluster(minor, stack);
    expect(isOutOfSpace(must(await admin.status(member.endpoint, calm)))).toBe(true);
    expect(await admin.grantLease(member.endpoint, 5, calm)).toMatchObject({ known: false });
    expect(await admin.addLearner(member.endpoint, 'http://127.0.0.1:1', calm)).toMatchObject({ ok: true });
  });

  test('sees a learner through: added, refused twice, started, promoted, made leader, removed', async () => {
    await using stack = new AsyncDisposableStack();
    const { admin, first, joiner, memberId, list } = await withLearner(minor, stack);
    expect(list.members.find(({ id }) => id === memberId)).toEqual({
      id: memberId,
      name: '',
      peerUrls: [joiner.peerUrl],
      clientUrls: [],
      learner: true,
    });

    expect(await admin.addLearner(first.endpoint, joiner.peerUrl, calm)).toMatchObject({
      code: 'peer-url-exists',
    });
    expect(await admin.addLearner(first.endpoint, 'http://127.0.0.1:1', calm)).toMatchObject({
      // Within 5 s of a start or a change, etcd says this first.
      code: expect.stringMatching(/^(too-many-learners|unhealthy-cluster)$/),
    });
    expect(await admin.promote(first.endpoint, memberId, calm)).toMatchObject({ code: 'not-in-sync' });
    const cluster = list.members.map((member) => ({
      name: member.id === memberId ? joiner.name : first.name,
      peerUrl: member.peerUrls[0] ?? '',
    }));
    await joiner.join(cluster);
    await eventually(async () => (await admin.promote(first.endpoint, memberId, calm)).ok);
    // etcd looks at the progress first: a voter that lags for a moment is "not in sync", and not "no learner".
    const again: string[] = [];
    await eventually(async () => {
      const outcome = await admin.promote(first.endpoint, memberId, calm);
      again.push(outcome.ok ? 'ok' : `${outcome.code}: ${outcome.message}`);
      return !outcome.ok && outcome.code === 'not-a-learner';
    });
    expect(again.filter((said) => said.startsWith('ok'))).toEqual([]);
    await untilServing(admin, joiner);

    const status = must(await admin.status(joiner.endpoint, calm));
    expect(status).toMatchObject({ memberId, learner: false, version: joiner.version, errors: [] });
    expect(status.clusterId).toBe(list.clusterId);
    expect(status.raftAppliedIndex).toBeGreaterThan(0);
    expect(status.dbSizeBytes).toBeGreaterThan(0);
    expect(await admin.moveLeader(joiner.endpoint, memberId, calm)).toMatchObject({ code: 'not-leader' });
    expect(await admin.moveLeader(first.endpoint, memberId, calm)).toMatchObject({ ok: true });
    expect(must(await admin.status(first.endpoint, calm)).leader).toBe(memberId);
    expect(await admin.removeMember(first.endpoint, 'deadbeefdeadbeef', calm)).toMatchObject({
      code: 'not-found',
    });
    const firstId = must(await admin.status(first.endpoint, calm)).memberId;
    await eventually(async () => (await admin.removeMember(joiner.endpoint, firstId, calm)).ok);
    const left = must(await admin.memberList(joiner.endpoint, { linearizable: true }, calm));
    expect(left.members.map(({ id }) => id)).toEqual([memberId]);
  });

  test('a learner answers for itself, and for nothing else', async () => {
    await using stack = new AsyncDisposableStack();
    const { admin, first, joiner } = await withLearner(minor, stack);
    await joiner.join([first, joiner].map(({ name, peerUrl }) => ({ name, peerUrl })));
    await eventually(async () => (await admin.status(joiner.endpoint, calm)).known);
    expect(must(await admin.status(joiner.endpoint, calm))).toMatchObject({ learner: true });
    expect((await admin.memberList(joiner.endpoint, { linearizable: true }, calm)).known).toBe(false);
    await eventually(
      async () => (await admin.read(joiner.endpoint, 'k', { serializable: true }, calm)).known,
    );
    expect(await admin.addLearner(joiner.endpoint, 'http://127.0.0.1:1', calm)).toMatchObject({
      code: 'learner-refuses',
    });
  });

  test('locks: one creates, the holder keeps it alive, a fence breaks, a revoked lease takes its keys', async () => {
    await using stack = new AsyncDisposableStack();
    const { admin, members } = await labCluster(minor, 1, stack);
    const endpoint = members[0]?.endpoint ?? '';
    const lease = must(await admin.grantLease(endpoint, 5, calm));
    const other = must(await admin.grantLease(endpoint, 5, calm));
    const held = must(await admin.createKey(endpoint, '_lock', 'i-1', lease, calm));
    expect(held).not.toBeNull();
    expect(must(await admin.createKey(endpoint, '_lock', 'i-2', other, calm))).toBeNull();
    const read = must(await admin.read(endpoint, '_lock', { serializable: false }, calm));
    expect(read).toMatchObject({ key: '_lock', value: 'i-1', createRevision: held?.createRevision });
    expect(must(await admin.keepAlive(endpoint, lease, calm))).toBe(true);

    const fence = { key: '_lock', createRevision: held?.createRevision ?? '' };
    expect(must(await admin.put(endpoint, '_leaving/i-1', 'now', { fence, leaseId: lease }, calm))).toBe(
      true,
    );
    expect(must(await admin.put(endpoint, '_leaving/i-2', 'ü', { leaseId: other }, calm))).toBe(true);
    const leaving = must(await admin.readPrefix(endpoint, '_leaving/', calm));
    expect(leaving.map(({ key, value }) => [key, value])).toEqual([
      ['_leaving/i-1', 'now'],
      ['_leaving/i-2', 'ü'],
    ]);
    expect(must(await admin.revokeLease(endpoint, lease, calm))).toBe(true);
    expect(must(await admin.revokeLease(endpoint, lease, calm))).toBe(false);
    expect(must(await admin.keepAlive(endpoint, lease, calm))).toBe(false);
    expect(must(await admin.read(endpoint, '_lock', { serializable: false }, calm))).toBeNull();
    expect(must(await admin.put(endpoint, 'fenced', 'v', { fence }, calm))).toBe(false);
    expect(must(await admin.read(endpoint, 'fenced', { serializable: false }, calm))).toBeNull();
    expect(must(await admin.createKey(endpoint, '_lock', 'i-2', other, calm))).not.toBeNull();
  });

  test('without quorum: no linearizable answer, in time; the probe still hears it', async () => {
    await using stack = new AsyncDisposableStack();
    const { admin, members, running } = await labCluster(minor, 2, stack);
    const [first, second] = members;
    if (first === undefined || second === undefined) throw new Error('no member');
    const before = must(await admin.memberList(first.endpoint, { linearizable: true }, calm));
    await running[1]?.stop(0);
    const list = await admin.memberList(first.endpoint, { linearizable: true }, calm);
    expect(list).toEqual(ENDED_AT_DEADLINE);
    const local = must(await admin.memberList(first.endpoint, { linearizable: false }, calm));
    expect(local.members).toHaveLength(2);
    const { memberId } = must(await admin.status(first.endpoint, calm));
    // Where the machine pauses for a second, one probe is silent; the daemon asks again too.
    let probe: Probe = { kind: 'silent', reason: 'not asked' };
    await eventually(async () => (probe = await probeEtcd(first.address, calm)).kind === 'answers');
    expect(probe).toEqual({ kind: 'answers', clusterId: before.clusterId, memberId });
    expect(await probeEtcd(second.address, calm)).toMatchObject({ kind: 'silent' });
  });
});

/** Of a call that no answer ended: its own deadline did, which etcd knows of, too, and may be the first to act on. */
const ENDED_AT_DEADLINE = {
  known: false,
  reason: expect.stringMatching(/deadline exceeded|cancelled/i) as unknown,
};

describe('the admin client', () => {
  test('ends a call to a frozen etcd at the deadline, and is heard at once when it thaws', async () => {
    await using stack = new AsyncDisposableStack();
    const { admin, members, running } = await labCluster('3.6', 1, stack);
    const endpoint = members[0]?.endpoint ?? '';
    const pid = running[0]?.pid ?? 0;
    process.kill(pid, 'SIGSTOP');
    // The signal is sent before it takes effect.
    await eventually(async () => /^State:\tT/m.test(await readFile(`/proc/${pid}/status`, 'utf8')), 2_000);
    expect(await admin.status(endpoint, calm)).toEqual(ENDED_AT_DEADLINE);
    expect(await admin.removeMember(endpoint, 'deadbeefdeadbeef', calm)).toMatchObject({ code: 'no-answer' });
    expect(await admin.keepAlive(endpoint, '1', calm)).toEqual(ENDED_AT_DEADLINE);
    process.kill(pid, 'SIGCONT');
    await eventually(async () => (await admin.status(endpoint, calm)).known, 2_000);
  });

  test('says at once that nobody listens, and sees an etcd that comes back', async () => {
    await using stack = new AsyncDisposableStack();
    const { admin, members, running } = await labCluster('3.5', 1, stack);
    const [member] = members;
    if (member === undefined) throw new Error('no member');
    await running[0]?.stop(0);
    const status = await admin.status(member.endpoint, calm);
    expect(status.known).toBe(false);
    expect(status).not.toEqual(ENDED_AT_DEADLINE);
    await member.start();
    await untilServing(admin, member);
  });

  test('ends with the signal', async () => {
    const admin = createAdmin();
    const stop = new AbortController();
    const asked = admin.status('http://192.0.2.1:2379', stop.signal);
    stop.abort(new Error('enough'));
    await expect(asked).rejects.toThrow('enough');
    admin[Symbol.dispose]();
  });
});

describe('the probe', () => {
  test('takes nobody, and somebody who is not etcd, for silence, and says which', async () => {
    const address = ownAddress();
    expect(await probeEtcd(address, calm)).toMatchObject({
      kind: 'silent',
      reason: expect.stringContaining('ECONNREFUSED'),
    });
    const server = createServer((_, response) => response.writeHead(404).end('no'));
    server.listen(2379, address);
    await once(server, 'listening');
    expect(await probeEtcd(address, calm)).toMatchObject({
      kind: 'silent',
      reason: expect.stringContaining('404'),
    });
    server.close();
  });

  test('does not wait for one who listens and says nothing', async () => {
    const address = ownAddress();
    const server = createServer(() => undefined);
    server.listen(2379, address);
    await once(server, 'listening');
    expect(await probeEtcd(address, calm)).toMatchObject({
      kind: 'silent',
      reason: expect.stringContaining('no answer within'),
    });
    server.closeAllConnections();
    server.close();
  });
});

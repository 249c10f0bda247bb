import { chmod, cp, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { join } from 'node:path';
import { Etcd3 } from 'etcd3';
import { describe, expect, test } from 'vitest';
import { alarmsOf } from '../../src/core/members.ts';
import { createAdmin } from '../../src/etcd/admin.ts';
import { createInspection } from '../../src/etcd/inspect.ts';
import {
  calm,
  fullCluster,
  keptLog,
  labCluster,
  labMember,
  type LabMember,
  must,
  untilServing,
} from '../etcd-lab.ts';
import { ETCD_DIRECTORY, etcdBinary, eventually, temporaryDirectory, TESTED_MINORS } from '../tools.ts';

const { log } = keptLog().deps;

function inspectionOf(dataDirectory: string, etcdDirectory = ETCD_DIRECTORY, limitMs = 30_000) {
  return createInspection({ etcdDirectory, dataDirectory, limitMs }, { log });
}

describe.each(TESTED_MINORS)('etcd %s says what a step has to know', (minor) => {
  test('versions, alarms, authentication, and a downgrade that it can or cannot do', async () => {
    await using stack = new AsyncDisposableStack();
    const { admin, members } = await labCluster(minor, 1, stack);
    const [member] = members;
    if (member === undefined) throw new Error('no member');
    const { endpoint } = member;
    const storage = minor >= '3.6' ? `${minor}.0` : null;
    // A new member calls its storage 3.5.0 for the first seconds.
    await eventually(async () => must(await admin.versions(endpoint, calm)).storage === storage);
    expect(must(await admin.versions(endpoint, calm))).toEqual({
      server: member.version,
      cluster: `${minor}.0`,
      storage,
      downgradeTarget: null,
    });
    const before = must(await admin.status(endpoint, calm));
    expect(await admin.authEnabled(endpoint, calm)).toEqual({ known: true, value: false });
    must(await admin.versions(endpoint, calm));
    // Neither writes: what etcd's log got meanwhile is nothing.
    expect(must(await admin.status(endpoint, calm)).raftIndex).toBe(before.raftIndex);
    expect(must(await admin.alarms(endpoint, calm))).toEqual([]);
    expect(await admin.downgrade(endpoint, 'validate', minor, calm)).toMatchObject({ ok: false });
  });

  test('an alarm, with the member that raised it', async () => {
    await using stack = new AsyncDisposableStack();
    const { admin, member } = await fullCluster(minor, stack);
    const status = must(await admin.status(member.endpoint, calm));
    const { memberId, errors } = status;
    expect(must(await admin.alarms(member.endpoint, calm))).toEqual([{ memberId, alarm: 'NOSPACE' }]);
    // Without an entry in its log, too.
    expect(alarmsOf(status)).toEqual([{ memberId, alarm: 'NOSPACE' }]);
    // What the log says once a minute, and the alarm of the CloudFormation template looks for.
    expect(errors.join(' ')).toContain('alarm:NOSPACE');
  });

  test('that authentication is on', async () => {
    await using stack = new AsyncDisposableStack();
    const { admin, members } = await labCluster(minor, 1, stack);
    const endpoint = members[0]?.endpoint ?? '';
    const client = new Etcd3({ hosts: endpoint });
    stack.defer(() => client.close());
    await client.auth.userAdd({ name: 'root', password: 'secret' });
    await client.auth.userGrantRole({ user: 'root', role: 'root' });
    await client.auth.authEnable();
    expect(await admin.authEnabled(endpoint, calm)).toEqual({ known: true, value: true });
    expect((await admin.versions(endpoint, calm)).known).toBe(minor < '3.6');
    // That it lives is in every answer, and that nobody is let in.
    const sentence = /^authentication is on in etcd, .*switch it off with etcdctl auth disable$/;
    const notLetIn = { known: false, refused: true, reason: expect.stringMatching(sentence) };
    expect(await admin.read(endpoint, 'any', { serializable: false }, calm)).toMatchObject(notLetIn);
    const status = await admin.status(endpoint, calm);
    if (!status.known) expect(status).toMatchObject(notLetIn);
    expect(status.known).toBe(minor === '3.4');
  });
});

test('what is not etcd has no versions, no alarms and no authentication', async () => {
  using admin = createAdmin({ deadlineMs: 500 });
  const answers = [
    '{}',
    '[]',
    'null',
    '{"etcdserver":7}',
    '{"etcdserver":"3.6.16","etcdcluster":"not_decided"}',
  ];
  for (const body of answers) {
    const server = createServer((_request, response) => void response.end(body));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const endpoint = `http://127.0.0.1:${typeof address === 'object' ? (address?.port ?? 0) : 0}`;
    expect(await admin.versions(endpoint, calm)).toMatchObject({ known: false });
    expect(await admin.alarms(endpoint, calm)).toMatchObject({ known: false });
    expect(await admin.authEnabled(endpoint, calm)).toMatchObject({ known: false });
    expect(await admin.downgrade(endpoint, 'enable', '3.5', calm)).toMatchObject({ ok: false });
    server.closeAllConnections();
    server.close();
  }
});

describe('of the own data', () => {
  test('v2 keys that a snapshot holds are told from requests in the log', async () => {
    await using stack = new AsyncDisposableStack();
    const admin = stack.use(createAdmin());
    const member = stack.use(await labMember('3.5', 'n1', ['--enable-v2=true', '--snapshot-count=5']));
    const inspection = inspectionOf(member.directory);
    const first = await member.start({ founders: [member], token: 't' });
    await untilServing(admin, member);
    await first.stop(10_000);
    expect(await inspection.v2Content(calm)).toEqual({ known: true, value: 'clean' });
    const second = await member.start();
    await untilServing(admin, member);
    const put = await fetch(`${member.endpoint}/v2/keys/old?value=1`, { method: 'PUT' });
    expect(put.ok).toBe(true);
    await second.stop(10_000);
    expect(await inspection.v2Content(calm)).toEqual({ known: true, value: 'wal-requests' });
    const third = await member.start();
    await untilServing(admin, member);
    const index = must(await inspection.snapshotIndex(calm));
    for (let key = 0; key < 12; key += 1) must(await admin.put(member.endpoint, `k${key}`, 'v', {}, calm));
    await eventually(async () => (must(await inspection.snapshotIndex(calm)) ?? 0) > (index ?? 0));
    await third.stop(10_000);
    await eventually(async () => must(await inspection.v2Content(calm)) === 'store');
  });

  test('what they hold of the old API is not known while etcd serves it', async () => {
    await using stack = new AsyncDisposableStack();
    const admin = stack.use(createAdmin());
    const member = stack.use(await labMember('3.5', 'n1', ['--enable-v2']));
    await member.start({ founders: [member], token: 't' });
    await untilServing(admin, member);
    expect(await inspectionOf(member.directory).v2Content(calm)).toEqual({
      known: false,
      reason: expect.stringContaining('--enable-v2') as unknown,
    });
  });

  test('a log is read while it is written to', async () => {
    await using stack = new AsyncDisposableStack();
    const { admin, members } = await labCluster('3.5', 1, stack);
    const [member] = members as readonly [LabMember];
    const inspection = inspectionOf(member.directory);
    let writing = true;
    const writes = (async () => {
      for (let key = 0; key < 100; key += 1)
        must(await admin.put(member.endpoint, 'key', 'x'.repeat(key * 20), {}, calm));
      writing = false;
    })();
    let [looks, missed, last] = [0, 0, 0];
    while (writing) {
      const replay = await inspection.logReplay(calm);
      looks += 1;
      if (!replay.known) missed += 1;
      else expect(replay.value.lastIndex).toBeGreaterThanOrEqual(last);
      last = replay.known ? replay.value.lastIndex : last;
    }
    await writes;
    expect(missed).toBeLessThan(looks / 2);
    const { raftIndex, dbSizeBytes } = must(await admin.status(member.endpoint, calm));
    expect(must(await inspection.databaseBytes(calm))).toBeGreaterThanOrEqual(dbSizeBytes);
    expect(must(await inspection.logReplay(calm)).lastIndex).toBe(raftIndex);
    // Somebody who reads it for the first time reads the same.
    expect(await inspectionOf(member.directory).logReplay(calm)).toEqual(await inspection.logReplay(calm));
  });

  test('nothing is clean where there is nothing, and what is not there is unknown', async () => {
    await using place = await temporaryDirectory();
    const inspection = inspectionOf(place.path);
    expect(await inspection.v2Content(calm)).toMatchObject({ known: false });
    expect(await inspection.logReplay(calm)).toMatchObject({ known: false });
    expect(await inspection.snapshotIndex(calm)).toEqual({ known: true, value: null });
    const { freeBytes, totalBytes } = must(await inspection.disk(calm));
    expect(totalBytes).toBeGreaterThan(freeBytes);
    expect(await inspection.databaseBytes(calm)).toMatchObject({ known: false });
    expect(await inspectionOf(join(place.path, 'nowhere')).disk(calm)).toMatchObject({ known: false });
  });

  test('a tool that is missing, too old, that hangs, or cannot be run, leaves v2 content unknown', async () => {
    await using stack = new AsyncDisposableStack();
    const { members } = await labCluster('3.5', 1, stack);
    const place = await temporaryDirectory();
    stack.use(place);
    const data = members[0]?.directory ?? '';
    const said = async (limitMs?: number): Promise<string> => {
      const content = await inspectionOf(data, place.path, limitMs).v2Content(calm);
      return content.known ? content.value : content.reason;
    };
    expect(await said()).toContain('has none');
    const folder = join(place.path, '3.5.35');
    await mkdir(folder);
    const { etcd, version } = await etcdBinary('3.5');
    await symlink(etcd, join(folder, 'etcd'));
    expect(await said()).toContain('cannot be run');
    await writeFile(join(folder, 'etcdutl'), '#!/bin/sh\nexec sleep 60\n');
    await chmod(join(folder, 'etcdutl'), 0o755);
    expect(await said(300)).toContain('did not end within 300 ms');
    await writeFile(join(folder, 'etcdutl'), '#!/bin/sh\necho "Error: unknown command" >&2\nexit 1\n');
    expect(await said()).toContain('ended with 1: Error: unknown command');
    await rm(folder, { recursive: true });
    await mkdir(join(place.path, '3.5.9'));
    const old = '#!/bin/sh\necho "etcd Version: 3.5.9"\n';
    await writeFile(join(place.path, '3.5.9', 'etcd'), old);
    await chmod(join(place.path, '3.5.9', 'etcd'), 0o755);
    expect(await said()).toContain('has 3.5.9');
    await cp(join(etcd, '..'), join(place.path, version), { recursive: true });
    expect(await said()).toBe('clean');
  });
});

import { spawn } from 'node:child_process';
import { cp, glob, mkdir, open, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createAdmin, type EtcdAdmin } from '../../src/etcd/admin.ts';
import { etcdIds } from '../../src/etcd/ids.ts';
import { judge, NO_VERDICT } from '../../src/etcd/log-lines.ts';
import { isProcessAlive } from '../../src/etcd/proc.ts';
import { createEtcdProcesses } from '../../src/etcd/process.ts';
import {
  calm,
  endOf,
  keptLog,
  labCluster,
  labMember,
  type LabMember,
  must,
  untilServing,
} from '../etcd-lab.ts';
import { ETCD_DIRECTORY, eventually, TESTED_MINORS } from '../tools.ts';

describe.concurrent.each(TESTED_MINORS)('etcd %s', (minor) => {
  test('starts without a word about its flags, with the ids that are computed', async () => {
    await using stack = new AsyncDisposableStack();
    const admin = stack.use(createAdmin());
    const member = stack.use(await labMember(minor));
    const token = 'a-token';
    const running = await member.start({ founders: [member], token });
    await untilServing(admin, member);

    const list = must(await admin.memberList(member.endpoint, { linearizable: true }, calm));
    expect(list.clusterId).toBe(etcdIds.clusterId([member.peerUrl], token));
    expect(list.members.map(({ id }) => id)).toEqual([etcdIds.memberId(member.peerUrl, token)]);
    await eventually(() =>
      member.log.lines.some(({ message }) => /serving (insecure )?client/i.test(message)),
    );
    const warnings = member.log.lines.filter(({ level }) => level !== 'info' && level !== 'debug');
    const unwanted = warnings.filter(({ message, fields }) =>
      /flag|deprecat|unknown|decommission|unrecognized|environment|capnslog/i.test(
        `${message} ${JSON.stringify(fields)}`,
      ),
    );
    expect(unwanted).toEqual([]);
    expect(await readFile(join(member.directory, 'etcd.log'), 'utf8')).not.toMatch(/deprecated|WARNING/i);

    const exit = await running.stop(10_000);
    expect(exit).toMatchObject({ signal: 'SIGTERM', saysRemoved: false, saysDamaged: null, lastWords: '' });
  });

  test('gives founders the ids that are computed', async () => {
    await using stack = new AsyncDisposableStack();
    const { admin, members } = await labCluster(minor, 3, stack);
    const [first] = members;
    if (first === undefined) throw new Error('no member');
    const list = must(await admin.memberList(first.endpoint, { linearizable: true }, calm));
    const token =
      /token-[\d.-]+/.exec(await readFile(`/proc/${(await pidOf(first)) ?? 0}/cmdline`, 'utf8'))?.[0] ?? '';
    const urls = members.map(({ peerUrl }) => peerUrl);
    expect(list.clusterId).toBe(etcdIds.clusterId(urls, token));
    expect(new Set(list.members.map(({ id }) => id))).toEqual(
      new Set(urls.map((url) => etcdIds.memberId(url, token))),
    );
  });

  test('says that it was removed, live and when it is started again', async () => {
    await using stack = new AsyncDisposableStack();
    const { admin, members, running } = await labCluster(minor, 3, stack);
    const [first, , third] = members;
    const last = running[2];
    if (first === undefined || third === undefined || last === undefined) throw new Error('no member');
    const { memberId } = must(await admin.status(third.endpoint, calm));
    await eventually(async () => (await admin.removeMember(first.endpoint, memberId, calm)).ok);
    expect((await endOf(last)).saysRemoved).toBe(true);
    const again = await endOf(await third.start());
    expect(again).toMatchObject({ saysRemoved: true, saysDamaged: null });
  });

  test('serves after all three died at once', async () => {
    await using stack = new AsyncDisposableStack();
    const { admin, members, running } = await labCluster(minor, 3, stack);
    const [first] = members;
    if (first === undefined) throw new Error('no member');
    await write(admin, first, 1);
    await Promise.all(running.map(async (etcd) => etcd.stop(0)));
    await Promise.all(members.map(async (member) => member.start()));
    await Promise.all(members.map(async (member) => untilServing(admin, member)));
    for (const member of members) {
      expect(must(await admin.read(member.endpoint, 'key-0', { serializable: false }, calm))?.value).toBe(
        'x'.repeat(200),
      );
    }
  });

  // Until it is over etcd answers no client, not even with its status: 2 s for 340 MB on a fast disk.
  test('says when it defragments its database', async () => {
    await using stack = new AsyncDisposableStack();
    const admin = stack.use(createAdmin());
    const member = stack.use(await labMember(minor));
    await member.start({ founders: [member], token: 't' });
    await untilServing(admin, member);
    await write(admin, member, 1);
    const url = `${member.endpoint}/v3/maintenance/defragment`;
    expect((await fetch(url, { method: 'POST', body: '{}' })).status).toBe(200);
    const after = (): readonly number[] =>
      member.log.lines.map((_, end) => {
        return member.log.lines.slice(0, end + 1).reduce(judge, NO_VERDICT).defragments;
      });
    await eventually(() => after().includes(1) && after().at(-1) === 0);
  });

  // Until it is over etcd answers no client: 6 s for 1.5 million keys.
  test('says when it puts a snapshot of the leader in place', async () => {
    await using stack = new AsyncDisposableStack();
    const admin = stack.use(createAdmin());
    // How many entries a leader keeps for who is behind: 3.4 has no flag for it, and keeps 5000.
    const keeps =
      minor === '3.5' ? '--experimental-snapshot-catchup-entries=10' : '--snapshot-catchup-entries=10';
    const flags = ['--snapshot-count=20', ...(minor === '3.4' ? [] : [keeps])];
    const leader = stack.use(await labMember(minor, 'n1', flags));
    const joiner = stack.use(await labMember(minor, 'n2', flags));
    await leader.start({ founders: [leader], token: 't' });
    await untilServing(admin, leader);
    for (let written = 0; written < (minor === '3.4' ? 5_300 : 300); written += 100)
      await Promise.all(
        Array.from({ length: 100 }, async () => must(await admin.put(leader.endpoint, 'key', 'x', {}, calm))),
      );
    expect(await admin.addLearner(leader.endpoint, joiner.peerUrl, calm)).toMatchObject({ ok: true });
    const running = await joiner.join([leader, joiner]);
    await eventually(() => running.seeded() && !running.restores());
    const after = joiner.log.lines.map(
      (_, end) => joiner.log.lines.slice(0, end + 1).reduce(judge, NO_VERDICT).restores,
    );
    expect(after).toContain(true);
  });

  test('names what is damaged', async () => {
    await using stack = new AsyncDisposableStack();
    const admin = stack.use(createAdmin());
    const member = stack.use(await labMember(minor));
    const running = await member.start({ founders: [member], token: 't' });
    await untilServing(admin, member);
    await write(admin, member, 30);
    await running.stop(0);
    const data = join(member.directory, 'etcd');
    const whole = join(member.directory, 'whole');
    await cp(data, whole, { recursive: true });
    for (const { name, damage, says } of DAMAGES) {
      await rm(data, { recursive: true });
      await cp(whole, data, { recursive: true });
      await damage(member);
      const { saysDamaged } = await endOf(await member.start());
      expect({ name, saysDamaged }).toEqual({ name, saysDamaged: says });
    }
  });

  test('names a database that is gone when the log begins after it', async () => {
    await using stack = new AsyncDisposableStack();
    const admin = stack.use(createAdmin());
    const member = stack.use(await labMember(minor, 'n1', ['--snapshot-count=10']));
    const running = await member.start({ founders: [member], token: 't' });
    await untilServing(admin, member);
    for (let key = 0; key < 40; key += 1)
      must(await admin.put(member.endpoint, 'key', String(key), {}, calm));
    await running.stop(0);
    await rm(databaseOf(member));
    expect(await endOf(await member.start())).toMatchObject({ saysDamaged: 'database' });
  });

  test('does not call a database damaged that it may not open', async () => {
    await using stack = new AsyncDisposableStack();
    const admin = stack.use(createAdmin());
    const member = stack.use(await labMember(minor));
    const running = await member.start({ founders: [member], token: 't' });
    await untilServing(admin, member);
    await running.stop(0);
    await rm(databaseOf(member));
    await mkdir(databaseOf(member));
    const exit = await endOf(await member.start());
    expect(exit.saysDamaged).toBeNull();
    expect(exit.lastWords).toContain('is a directory');
  });
});

describe('the process adapter', () => {
  test('takes over an etcd that an earlier appliance left, record or not, and sees its end', async () => {
    await using stack = new AsyncDisposableStack();
    const admin = stack.use(createAdmin());
    const member = stack.use(await labMember('3.5'));
    const running = await member.start({ founders: [member], token: 't' });
    await untilServing(admin, member);
    const second = keptLog();
    const other = createEtcdProcesses(
      {
        etcdDirectory: ETCD_DIRECTORY,
        dataDirectory: member.directory,
        extraFlags: [],
        env: process.env,
      },
      second.deps,
    );
    const byRecord = await other.adopt(calm);
    expect(byRecord).toMatchObject({ pid: running.pid, version: member.version });
    await rm(join(member.directory, 'etcd-process.json'));
    const byTable = await other.adopt(calm);
    expect(byTable).toMatchObject({ pid: running.pid, version: member.version });
    // Nobody starts a second one on the same data.
    const refused = await other.start(
      { version: member.version, name: 'n1', address: member.address, initial: null },
      calm,
    );
    expect(refused).toMatchObject({ known: false });
    const exit = await byTable?.stop(10_000);
    expect(exit).toMatchObject({ code: null, saysRemoved: false });
    // Its parent, which is this process, has yet to take note of its end.
    await eventually(() => !isProcessAlive(running.pid));
    expect(await other.adopt(calm)).toBeNull();
  });

  test('lets etcd live on when its starter is killed', async () => {
    await using stack = new AsyncDisposableStack();
    const admin = stack.use(createAdmin());
    const member = stack.use(await labMember('3.6'));
    const script = `
      import { createEtcdProcesses } from ${JSON.stringify(join(import.meta.dirname, '../../src/etcd/process.ts'))};
      const log = { debug() {}, info() {}, warn() {}, error() {} };
      const processes = createEtcdProcesses(${JSON.stringify({
        etcdDirectory: ETCD_DIRECTORY,
        dataDirectory: member.directory,
        extraFlags: [],
        env: {},
      })}, { log, onLine() {} });
      const start = ${JSON.stringify({
        version: member.version,
        name: 'n1',
        address: member.address,
        initial: { state: 'new', token: 't', cluster: [{ name: 'n1', peerUrl: member.peerUrl }] },
      })};
      await processes.start(start, new AbortController().signal);
      setInterval(() => undefined, 1000);`;
    const appliance = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
      detached: true,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    await untilServing(admin, member);
    // The whole group, as a terminal or a service manager does.
    process.kill(-(appliance.pid ?? 0), 'SIGKILL');
    await new Promise((resolve) => appliance.once('exit', resolve));
    const adopted = await member.processes.adopt(calm);
    stack.defer(async () => void (await adopted?.stop(0)));
    // It still writes its log, and still serves.
    must(await admin.put(member.endpoint, 'key', 'value', {}, calm));
    expect(adopted).toMatchObject({ version: member.version });
  });

  test('never lets words of a birth meet data, nor "carry on" meet none', async () => {
    await using member = await labMember('3.5');
    const start = { version: member.version, name: 'n1', address: member.address };
    expect(await member.processes.start({ ...start, initial: null }, calm)).toMatchObject({
      known: false,
      reason: expect.stringContaining('holds no data'),
    });
    await mkdir(join(member.directory, 'etcd/member/wal'), { recursive: true });
    await writeFile(join(member.directory, 'etcd/member/wal/0-0.wal'), '');
    const initial = { state: 'new', token: 't', cluster: [{ name: 'n1', peerUrl: member.peerUrl }] } as const;
    expect(await member.processes.start({ ...start, initial }, calm)).toMatchObject({
      known: false,
      reason: expect.stringContaining('holds data'),
    });
  });

  test('gives etcd no variable of the appliance that it would take as a flag', async () => {
    await using stack = new AsyncDisposableStack();
    const member = stack.use(await labMember('3.7'));
    const processes = createEtcdProcesses(
      {
        etcdDirectory: ETCD_DIRECTORY,
        dataDirectory: member.directory,
        extraFlags: [],
        env: {
          ETCD_NAME: 'other',
          ETCD_DIR: '/x',
          https_proxy: 'http://127.0.0.1:1',
          AWS_SECRET_ACCESS_KEY: 's',
          TZ: 'UTC',
        },
      },
      member.log.deps,
    );
    const initial = { state: 'new', token: 't', cluster: [{ name: 'n1', peerUrl: member.peerUrl }] } as const;
    const running = must(
      await processes.start({ version: member.version, name: 'n1', address: member.address, initial }, calm),
    );
    stack.defer(async () => void (await running.stop(0)));
    const environment = (await readFile(`/proc/${running.pid}/environ`, 'utf8')).split('\0').filter(Boolean);
    expect(environment).toEqual(['TZ=UTC']);
  });

  test('ends a frozen etcd after the grace', async () => {
    await using member = await labMember('3.5');
    const running = await member.start({ founders: [member], token: 't' });
    process.kill(running.pid, 'SIGSTOP');
    // Of two signals that wait, the kernel hands SIGTERM over first.
    await eventually(async () => /\) T /.test(await readFile(`/proc/${running.pid}/stat`, 'utf8')));
    expect(await running.stop(200)).toMatchObject({ signal: 'SIGKILL' });
  });

  test('tells before a start what would keep etcd from starting', async () => {
    await using stack = new AsyncDisposableStack();
    const member = stack.use(await labMember('3.5'));
    expect(await member.processes.preflight('3.5.35', member.address, calm)).toBeNull();
    const why = async (version: string, address = member.address): Promise<string | undefined> =>
      (await member.processes.preflight(version, address, calm))?.why;
    expect(await why('9.9.9')).toContain('no etcd 9.9.9');
    expect(await why(member.version, '192.0.2.1')).toContain('does not have the address');
    const admin = stack.use(createAdmin());
    await member.start({ founders: [member], token: 't' });
    await untilServing(admin, member);
    expect(await why(member.version)).toContain('in use');
  });
});

/** Writes keys, each until it is acknowledged: a busy machine may miss a deadline. */
async function write(admin: EtcdAdmin, member: LabMember, count: number): Promise<void> {
  for (let key = 0; key < count; key += 1) {
    await eventually(
      async () => (await admin.put(member.endpoint, `key-${key}`, 'x'.repeat(200), {}, calm)).known,
    );
  }
}

const DAMAGES: readonly {
  readonly name: string;
  readonly damage: (member: LabMember) => Promise<void>;
  readonly says: 'wal' | 'database';
}[] = [
  {
    name: 'the log, in the middle',
    damage: async (member) => pokeRecord(await walOf(member), 'its middle'),
    says: 'wal',
  },
  {
    name: 'the log, where a record says what it is',
    damage: async (member) => pokeRecord(await walOf(member), 'its head'),
    says: 'wal',
  },
  { name: 'the log, at its head', damage: async (member) => poke(await walOf(member), 0, 64), says: 'wal' },
  { name: 'an empty log', damage: async (member) => truncate(await walOf(member), 0), says: 'wal' },
  { name: 'no log', damage: async (member) => rm(await walOf(member)), says: 'wal' },
  {
    name: 'the head of the database',
    damage: async (member) => poke(databaseOf(member), 0, 9000),
    says: 'database',
  },
  {
    name: 'a short database',
    damage: async (member) => truncate(databaseOf(member), 5000),
    says: 'database',
  },
];

function databaseOf(member: LabMember): string {
  return join(member.directory, 'etcd/member/snap/db');
}

async function walOf(member: LabMember): Promise<string> {
  const files = await Array.fromAsync(glob(join(member.directory, 'etcd/member/wal/*.wal')));
  const [first] = files.toSorted();
  if (first === undefined) throw new Error('no log');
  return first;
}

async function poke(path: string, offset: number, length: number): Promise<void> {
  const file = await open(path, 'r+');
  await file.write(Buffer.alloc(length, 0xff), 0, length, offset);
  await file.close();
}

/**
 * Overwrites the inside of a record. A record begins with its length, and must keep it: a log that breaks off is no
 * damage to etcd, but what a power cut leaves, and it goes on with what is before.
 */
async function pokeRecord(path: string, where: 'its head' | 'its middle'): Promise<void> {
  const log = await readFile(path);
  let offset = 0;
  while (offset < 2_000) offset += 8 + lengthAt(log, offset);
  const within = where === 'its head' ? 0 : Math.floor(lengthAt(log, offset) / 2);
  await poke(path, offset + 8 + within, 8);
}

/** The lower 56 bits are the record's length; where the highest is set, the next three are the padding's. */
function lengthAt(log: Buffer, offset: number): number {
  const head = log.readUInt8(offset + 7);
  return log.readUIntLE(offset, 6) + ((head & 0x80) === 0 ? 0 : head & 0x07);
}

async function pidOf(member: LabMember): Promise<number | null> {
  const record: unknown = JSON.parse(await readFile(join(member.directory, 'etcd-process.json'), 'utf8'));
  return typeof record === 'object' && record !== null && 'pid' in record ? Number(record.pid) : null;
}

import { appendFile, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { damageOf, judge, lastWordsOf, NO_VERDICT, parseLogLine } from '../../src/etcd/log-lines.ts';
import { followLog } from '../../src/etcd/log-tail.ts';
import { eventually, temporaryDirectory } from '../tools.ts';

function verdictOf(...lines: string[]) {
  return lines.map(parseLogLine).reduce(judge, NO_VERDICT);
}

const fatal = (error: string): string => JSON.stringify({ level: 'fatal', msg: 'discovery failed', error });

describe("etcd's log lines", () => {
  test('are read, without time and stack', () => {
    const line = { level: 'warn', ts: 'now', caller: 'a.go:1', msg: 'slow', took: '1s', stacktrace: 'long' };
    expect(parseLogLine(JSON.stringify(line))).toEqual({
      level: 'warn',
      message: 'slow',
      error: '',
      fields: { caller: 'a.go:1', took: '1s' },
      plain: false,
    });
    expect(parseLogLine('{broken')).toMatchObject({ level: 'warn', message: '{broken' });
    expect(parseLogLine('panic: no')).toMatchObject({ level: 'panic', message: 'no' });
  });

  test.each([
    ['a full disk', fatal('write /data/member/wal/0.tmp: no space left on device')],
    [
      'a full disk in the database',
      JSON.stringify({ level: 'panic', msg: 'failed to open database', error: 'no space left on device' }),
    ],
    [
      'a version that does not fit',
      'panic: unmarshal should never fail (proto: cannot parse invalid wire-format data)',
    ],
    ['a cluster of a newer version', fatal('incompatible with current running cluster')],
    ['content of the v2 API', 'panic: detected disallowed v2 WAL for stage --v2-deprecation=write-only'],
    [
      'a missing cluster',
      fatal('cannot fetch cluster info from peer urls: could not retrieve cluster information'),
    ],
    ['a rotten build', 'panic: runtime error: invalid memory address or nil pointer dereference'],
    ['an unknown flag', 'flag provided but not defined: -x'],
    ['wrong rights', fatal('open /data/member/wal: permission denied')],
  ])('do not call %s damage', (_, line) => {
    const verdict = verdictOf(line);
    expect(verdict.saysDamaged).toBeNull();
    expect(verdict.lastWords).not.toBe('');
  });

  test.each([
    [
      'a log that is shorter than what the leader knows it to have held',
      'panic: tocommit(144) is out of range [lastIndex(67)]. Was the raft log corrupted, truncated, or lost?',
      'wal',
    ],
    ['a record of the log that is none', fatal('proto: illegal wireType 7'), 'wal'],
    ['the same in the words of 3.7.3', fatal('proto:\u00A0cannot parse invalid wire-format data'), 'wal'],
    ['a database that is shorter than it says', 'fatal error: fault', 'database'],
    [
      'a page that is of no kind',
      'panic: assertion failed: page 151: has unexpected type/flags: fd',
      'database',
    ],
    [
      'a value that is none',
      JSON.stringify({
        level: 'fatal',
        msg: 'failed to unmarshal mvccpb.KeyValue',
        error: 'unexpected EOF',
      }),
      'database',
    ],
  ])('call %s damage', (_, line, damage) => {
    expect(verdictOf('unexpected fault address 0x7f47a4010000', line).saysDamaged).toBe(damage);
  });

  test.each([
    'unexpected EOF',
    'unexpected EOF: [wal] max entry size limit exceeded when decoding "0-0.wal", recBytes: 1048626, fileSize(10187296) - offset(9438624) - padBytes(6) = entryLimit(748666)',
  ])('call a log that cannot be repaired damage, but where there is no room to do it: %s', (error) => {
    const line = (msg: string) => JSON.stringify({ level: 'fatal', msg, error });
    const copied = verdictOf(line('failed to repair WAL'));
    expect(damageOf(copied, false)).toBe('wal');
    expect(damageOf(copied, true)).toBeNull();
    const read = verdictOf(line('failed to read WAL, cannot be repaired'));
    expect(damageOf(read, false)).toBe('wal');
    expect(damageOf(read, true)).toBe('wal');
    expect(damageOf(verdictOf(line('failed to serve').replace('EOF', 'end')), false)).toBeNull();
  });

  test('say that the disk is full where a log cannot be copied for its repair', () => {
    const line = (msg: string, error: string) => JSON.stringify({ level: 'warn', msg, error });
    const noRoom = 'write 0-0.wal.broken: no space left on device';
    expect(verdictOf(line('failed to copy', noRoom)).saysFull).toBe(true);
    expect(verdictOf(line('failed to copy', 'write 0-0.wal.broken: input/output error')).saysFull).toBe(
      false,
    );
    expect(verdictOf(line('slow fdatasync', noRoom)).saysFull).toBe(false);
  });

  test('call it damage where the database makes Go reach beyond what there is, and nothing else does', () => {
    const panic = 'panic: runtime error: slice bounds out of range [::4096] with length 152';
    const stack = ['', 'goroutine 1 [running]:', 'panic({0x1, 0x2})', '\truntime/panic.go:783 +0x132'];
    const database = 'go.etcd.io/bbolt/internal/common.UnsafeByteSlice(...)';
    const server = 'go.etcd.io/etcd/server/v3/etcdserver.(*EtcdServer).apply(0x1)';
    expect(verdictOf(panic, ...stack, database, server).saysDamaged).toBe('database');
    expect(verdictOf(panic, ...stack, 'go.etcd.io/bbolt.(*Cursor).next(0x1)').saysDamaged).toBe('database');
    expect(verdictOf(panic, ...stack, server, database).saysDamaged).toBeNull();
    expect(verdictOf('panic: no', ...stack, database).saysDamaged).toBeNull();
  });

  test('keep the last words, which Go repeats worse', () => {
    const panic = JSON.stringify({
      level: 'panic',
      msg: 'failed to open database',
      error: 'invalid database',
    });
    expect(verdictOf(panic, 'panic: failed to open database', '', 'goroutine 1 [running]:')).toMatchObject({
      saysDamaged: 'database',
      lastWords: 'failed to open database: invalid database',
    });
  });

  const LOADER = "/lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.34' not found (required by etcd)";
  const info = JSON.stringify({ level: 'info', msg: 'closed etcd server' });

  test.each([
    ['a plain line of whomever', [LOADER], LOADER],
    ['the last of several, blank ones aside', ['etcd: line 2: starting', `${LOADER} `, '', ' '], LOADER],
    ['a plain line behind the log', [info, LOADER], LOADER],
    ['at most so much of it', ['x'.repeat(10_000)], `${'x'.repeat(300)}…`],
    ['the fatal words before it', [fatal('no space left'), LOADER], 'discovery failed: no space left'],
    ["Go's words, and not its stack", ['panic: no', 'goroutine 1 [running]:', '\tmain.go:1 +0x1'], 'no'],
    ['nothing, where the log went on', ['[WARNING] Deprecated flag', info], ''],
    ['nothing of a line that was cut off', ['{"level":"info","msg":"clos'], ''],
    ['nothing, where nothing was said', [], ''],
  ])('give as the last words %s', (_, lines, expected) => {
    expect(lastWordsOf(verdictOf(...lines))).toBe(expected);
  });

  test('name a start that its peers know other members than', () => {
    const said = 'error validating peerURLs {ClusterID:1 Members:[]}: member count is unequal';
    const fatal = { level: 'fatal', msg: 'discovery failed', error: said };
    expect(verdictOf(JSON.stringify(fatal))).toMatchObject({ saysOtherMembers: true, saysDamaged: null });
    expect(verdictOf(JSON.stringify({ ...fatal, level: 'warn' })).saysOtherMembers).toBe(false);
    expect(verdictOf(JSON.stringify({ ...fatal, error: 'no space left' })).saysOtherMembers).toBe(false);
  });

  test.each([
    { level: 'fatal', msg: 'invalid downgrade; server version is lower than determined cluster version' },
    { level: 'panic', msg: 'invalid downgrade; server version is lower than determined cluster version' },
    { level: 'fatal', msg: 'discovery failed', error: 'version "3.7.0" is not supported' },
  ])('name a start as an older version than what is there: $level $msg', (line) => {
    expect(verdictOf(JSON.stringify(line))).toMatchObject({ saysTooOld: true, saysDamaged: null });
    expect(verdictOf(JSON.stringify({ ...line, level: 'warn' })).saysTooOld).toBe(false);
    expect(verdictOf(JSON.stringify({ ...line, msg: 'x', error: 'no space left' })).saysTooOld).toBe(false);
  });

  test.each([
    {
      level: 'fatal',
      msg: 'failed to create WAL',
      error: 'write /data/wal/0.tmp: no space left on device',
    },
    { level: 'panic', msg: 'failed to commit tx', error: 'write /data/db: no space left on device' },
    { level: 'error', msg: 'failed to save raft entries', error: 'disk quota exceeded' },
  ])('name a disk without room: $level $msg', (line) => {
    expect(verdictOf(JSON.stringify(line))).toMatchObject({ saysFull: true, saysDamaged: null });
    expect(verdictOf(JSON.stringify({ ...line, level: 'warn' })).saysFull).toBe(false);
    expect(verdictOf(JSON.stringify({ ...line, error: 'crc mismatch' })).saysFull).toBe(false);
  });

  test('tell when a database is defragmented, once or several times', () => {
    const line = (msg: string): string => JSON.stringify({ level: 'info', msg });
    const [begins, ends] = [line('starting defragment'), line('finished defragment')];
    const fails = JSON.stringify({ level: 'warn', msg: 'failed to defragment', error: 'no space left' });
    expect(verdictOf(begins).defragments).toBe(1);
    expect(verdictOf(begins, begins, ends).defragments).toBe(1);
    expect(verdictOf(begins, ends).defragments).toBe(0);
    expect(verdictOf(begins, fails).defragments).toBe(0);
    // Who took it over came in the middle of one.
    expect(verdictOf(ends, begins).defragments).toBe(1);
  });

  // As etcd 3.4.23, 3.5.35, 3.6.16 and 3.7.3 said them; lines between them left out.
  test('tell when a snapshot of the leader is put in place', () => {
    const said = (lines: string): boolean => verdictOf(...lines.split('\n')).restores;
    const received = [
      '{"level":"info","caller":"rafthttp/http.go:305","msg":"received and saved database snapshot","local-member-id":"aaed61f084aa2fb2","download-took":"1.547675ms"}',
      '{"level":"info","caller":"raft/log.go:300","msg":"log [committed=9, applied=9, unstable.offset=10, len(unstable.Entries)=0] starts to restore snapshot [index: 5809, term: 2]"}',
      '{"level":"info","caller":"etcdserver/raft.go:294","msg":"applied incoming Raft snapshot","snapshot-index":5809}',
    ].join('\n');
    const begins =
      '{"level":"info","ts":"2026-11-22T11:08:46.375044Z","caller":"etcdserver/server.go:1013","msg":"applying snapshot","current-snapshot-index":208,"current-applied-index":208,"incoming-leader-snapshot-index":609,"incoming-leader-snapshot-term":2}';
    const amidst =
      '{"level":"info","caller":"mvcc/kvstore.go:418","msg":"kvstore restored","current-rev":602}';
    const ends =
      '{"level":"info","ts":"2026-11-22T11:08:46.384406Z","caller":"etcdserver/server.go:1021","msg":"applied snapshot","current-snapshot-index":609,"current-applied-index":609,"incoming-leader-snapshot-index":609,"incoming-leader-snapshot-term":2}';
    expect(said(received)).toBe(false);
    expect(said(`${received}\n${begins}\n${amidst}`)).toBe(true);
    expect(said(`${begins}\n${amidst}\n${ends}`)).toBe(false);
    // Who took it over came in the middle of one.
    expect(said(`${ends}\n${begins}`)).toBe(true);
  });

  test('of another member that was removed do not count', () => {
    const line = { level: 'warn', msg: 'rejected stream from remote peer because it was removed' };
    expect(verdictOf(JSON.stringify(line)).saysRemoved).toBe(false);
    const own = {
      level: 'warn',
      msg: 'server error',
      error: 'the member has been permanently removed from the cluster',
    };
    expect(verdictOf(JSON.stringify(own)).saysRemoved).toBe(true);
  });
});

describe('a followed log', () => {
  test('passes on lines as they come, whole, and the rest at the end', async () => {
    await using place = await temporaryDirectory();
    const path = join(place.path, 'log');
    await writeFile(path, 'old\n');
    const lines: string[] = [];
    const tail = await followLog({ path }, (line) => lines.push(line));
    await appendFile(path, 'one\ntw');
    await eventually(() => lines.length === 1);
    await appendFile(path, 'o\nthree');
    await eventually(() => lines.length === 2);
    await tail.close();
    expect(lines).toEqual(['one', 'two', 'three']);
  });

  test('is emptied when it is long, and followed on', async () => {
    await using place = await temporaryDirectory();
    const path = join(place.path, 'log');
    await writeFile(path, 'old\n');
    const lines: string[] = [];
    const tail = await followLog({ path, truncateAboveBytes: 100 }, (line) => lines.push(line));
    await appendFile(path, `${'x'.repeat(200)}\n`);
    await eventually(async () => (await readFile(path, 'utf8')) === '');
    await appendFile(path, 'after\n');
    await eventually(() => lines.at(-1) === 'after');
    await truncate(path, 0);
    await appendFile(path, 'again\n');
    await eventually(() => lines.at(-1) === 'again');
    await tail.close();
    expect(lines.map((line) => line.slice(0, 5))).toEqual(['xxxxx', 'after', 'again']);
  });
});

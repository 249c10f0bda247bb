import { subscribe } from 'node:diagnostics_channel';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/*
 * Loaded into an appliance before anything of its own (node --import): freezes its process, as a kill -STOP from outside would,
 * in the moment in which it has the answer that a lock is still its own, and has not looked at it. Which of these answers,
 * counted by each process for itself, is in the test's freeze.txt; it counts from when it takes a lock after that was
 * written, so that a housekeeper, which looks at its own all the time, does not. Only the first that gets there freezes.
 */

const HOME = process.env['HOME'] ?? '';
const ORDER = join(dirname(HOME), 'freeze.txt');
const FROZEN = join(dirname(HOME), 'frozen.txt');

/** Right before an act the lease is renewed, and the lock read. */
let [isTaken, isRenewed] = [false, false];
let looks = 0;
const answers = new WeakSet<object>();

subscribe('http2.client.stream.created', (message) => {
  const { stream, headers } = message as { readonly stream: object; readonly headers: object };
  const path = String((headers as Readonly<Record<string, unknown>>)[':path']);
  if (!existsSync(ORDER) || existsSync(FROZEN)) return;
  if (path.endsWith('/LeaseGrant')) isTaken = true;
  if (path.endsWith('/LeaseKeepAlive')) isRenewed = isTaken;
  if (!isRenewed || !path.endsWith('/Range')) return;
  isRenewed = false;
  looks += 1;
  if (looks === Number(readFileSync(ORDER, 'utf8'))) answers.add(stream);
});

subscribe('http2.client.stream.finish', (message) => {
  if (!answers.has((message as { readonly stream: object }).stream)) return;
  try {
    writeFileSync(FROZEN, basename(HOME), { flag: 'wx' });
  } catch {
    return;
  }
  process.kill(process.pid, 'SIGSTOP');
});

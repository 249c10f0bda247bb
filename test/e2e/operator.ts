import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { expect, type TestContext } from 'vitest';
import { OPERATOR_ACCESS_KEY } from '../../src/sandbox/caller.ts';
import { program } from './build.ts';
import type { Fleet } from './harness.ts';

/** `etcd-appliance upgrade` of the fleet's cluster, as an operator calls it whose output is no terminal. */
export function operatorOf({ onTestFinished }: TestContext, { sandbox }: Fleet) {
  const { aws, clusterName } = sandbox.addresses;
  const env = {
    PATH: process.env['PATH'],
    HOSTED_ZONE: 'example.org',
    AWS_ENDPOINT_URL: aws,
    AWS_ACCESS_KEY_ID: OPERATOR_ACCESS_KEY,
    AWS_SECRET_ACCESS_KEY: 'any',
  };
  return (words: readonly string[], onLine: (line: string) => void = () => undefined) => {
    const args = [program(), 'upgrade', clusterName, ...words];
    const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    onTestFinished(() => void child.kill('SIGKILL'));
    const out: string[] = [];
    const err: string[] = [];
    createInterface({ input: child.stdout }).on('line', (line) => {
      out.push(line);
      onLine(line);
    });
    createInterface({ input: child.stderr }).on('line', (line) => void err.push(line));
    const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, out, err }));
    return { child, ended };
  };
}

/** An operator orders a version or a minor, and follows until every member runs it; fails where it is said otherwise. */
export async function ordered(context: TestContext, fleet: Fleet, to: string): Promise<void> {
  const { code, out, err } = await operatorOf(context, fleet)(['--to', to]).ended;
  expect({ code, err }, out.join('\n')).toEqual({ code: 0, err: [] });
  expect(out.at(-1)).toContain(`done: every member runs what it aims at (etcd ${to}.`);
}

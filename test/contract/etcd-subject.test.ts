import { expect, it } from 'vitest';
import type { EtcdExit } from '../../src/core/local-data.ts';
import type { RunningEtcd } from '../../src/daemon/ports.ts';
import { labMember } from '../etcd-lab.ts';
import { createRuns } from './etcd/runs.ts';

/*
 * Whoever keeps book of real etcds must not take one for ended that runs: it would outlive its test.
 */

const EXIT: EtcdExit = { code: 0, signal: null, saysRemoved: false, saysDamaged: null, lastWords: '' };

function run(pid: number): { readonly running: RunningEtcd; readonly end: () => void; stopped: boolean } {
  const { promise, resolve } = Promise.withResolvers<EtcdExit>();
  const it = {
    stopped: false,
    end: () => resolve(EXIT),
    running: {
      pid,
      version: '3.5.35',
      exited: promise,
      seeded: () => false,
      defragments: () => false,
      restores: () => false,
      stop: async () => {
        it.stopped = true;
        resolve(EXIT);
        return await promise;
      },
    },
  };
  return it;
}

it('an etcd that runs is not ended by the end of the one before it, though that is noticed late', async () => {
  const [first, second] = [run(1), run(2)];
  const runs = createRuns();
  runs.began(first.running);
  runs.began(second.running);
  first.end();
  await first.running.exited;
  expect([runs.running()?.pid, runs.exit()]).toEqual([2, null]);
  second.end();
  await second.running.exited;
  expect([runs.running(), runs.exit()]).toEqual([null, EXIT]);
});

it('all that were started are ended, whatever is known of their ends', async () => {
  const all = [run(1), run(2)];
  const runs = createRuns();
  for (const { running } of all) runs.began(running);
  await runs.endAll();
  expect(all.map((it) => it.stopped)).toEqual([true, true]);
});

it('an etcd that is still being started ends with its member', async () => {
  let starting: Promise<RunningEtcd>;
  {
    await using member = await labMember('3.5');
    starting = member.start({ founders: [member], token: 't' });
  }
  const { pid } = await starting;
  expect(() => process.kill(pid, 0)).toThrow('ESRCH');
});

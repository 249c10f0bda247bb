import { readdir, readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { calm } from '../etcd-lab.ts';
import { eventually } from '../tools.ts';
import { realSubject } from './etcd/subject.ts';

/** Commands of processes that run with this data directory. */
async function running(directory: string): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((it) => /^\d+$/.test(it));
  const commands = await Promise.all(
    pids.map(async (pid) => await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  );
  return commands.filter((it) => it.includes(directory));
}

it('real etcds end with their subject, also one that was started before the end of the last was noticed', async () => {
  let directory = '';
  {
    await using subject = await realSubject(1, '3.5');
    const [slot] = subject.slots;
    if (slot === undefined) throw new Error('there is no machine');
    directory = subject.directories[0] ?? '';
    await subject.start(0, { state: 'new', cluster: [slot], token: 't' });
    await eventually(async () => (await subject.admin.status(slot.endpoint, calm)).known);
    const ending = subject.end(0, 'SIGKILL');
    // Refused while the last one lives.
    await eventually(async () => {
      await subject.start(0, null);
      return true;
    });
    await ending;
    expect(subject.exitOf(0)).toBe(null);
    expect(await running(directory)).toHaveLength(1);
  }
  expect(await running(directory)).toEqual([]);
});

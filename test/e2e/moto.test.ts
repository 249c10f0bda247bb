import { expect, test } from 'vitest';
import { runScript } from '../../src/cli/demo-script.ts';
import { createAdmin } from '../../src/etcd/admin.ts';
import { createMotoSandbox } from './moto-cloud.ts';
import { tellStory } from './story.ts';

test('the script runs against moto, as far as moto goes: form, kill, terminate, scale, DNS', async () => {
  await using moto = await createMotoSandbox();
  using admin = createAdmin();
  const said: string[] = [];
  const deps = {
    sandbox: moto.sandbox,
    admin,
    say: (line: string) => void said.push(line),
    signal: new AbortController().signal,
  };
  const report = await Promise.race([runScript(deps), moto.broken]);
  // Read here, while the machines' files are there.
  const story = report.ok ? '' : tellStory(moto.sandbox.addresses.stateDir, [], 0);
  expect(report.ok, `${said.join('\n')}\n${story}`).toBe(true);
  expect(report.steps).toHaveLength(6);
  expect(report.writes.lost).toBe(0);
});

import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runUserData } from '../contract/user-data.ts';
import { etcdBinary, eventually, temporaryDirectory } from '../tools.ts';
import { type Engine, startEngine } from './docker-engine.ts';

/*
 * The user data of the CloudFormation template, as rendered, with a real Docker: what it starts runs, as nobody's user, on
 * the volume, though no log can be written (CloudWatch is not to be reached from here, and there are no credentials).
 * In the place of the image is an etcd alone, of the same user.
 */

const USER = 65532;
const COMMAND = ['/etcd', '--data-dir', '/var/lib/etcd-appliance/etcd'];
const place = await temporaryDirectory();
const directory = join(place.path, 'engine');
const volume = join(place.path, 'volume');
let engine: Engine;
let script: string;

beforeAll(async () => {
  engine = await startEngine({ directory, outside: false });
  const rendered = await readFile(
    join(import.meta.dirname, '../fixtures/cloudformation/user-data.sh'),
    'utf8',
  );
  // The engine does not see the script's own /var/lib.
  script = rendered.replace('volume=/var/lib/etcd-appliance', `volume=${volume}`);
  const image = /^image='(.*)'$/m.exec(rendered)?.[1] ?? '';
  const binary = await etcdBinary('3.6');
  const archive = join(place.path, 'etcd.tar');
  await execa('tar', ['-C', binary.directory, '-cf', archive, 'etcd']);
  const changes = [`USER ${USER}:${USER}`, `CMD ${JSON.stringify(COMMAND)}`];
  await engine.docker(['import', ...changes.map((it) => `--change=${it}`), archive, image]);
});

afterAll(async () => {
  await engine?.[Symbol.asyncDispose]();
  await place[Symbol.asyncDispose]();
});

interface Container {
  readonly State: { readonly Running: boolean; readonly Pid: number };
  readonly RestartCount: number;
  readonly HostConfig: object;
}

async function container(): Promise<Container> {
  const [only] = JSON.parse(await engine.docker(['inspect', 'etcd-appliance'])) as readonly Container[];
  if (only === undefined) throw new Error('there is no container');
  return only;
}

test('it starts the container as it should be, which writes to the volume, and is started again', async () => {
  const folder = join(place.path, 'machine');
  await mkdir(folder);
  const machine = {
    distribution: 'debian',
    disks: [{ file: 'data-disk', model: 'Amazon Elastic Block Store' }],
    docker: `unix://${join(directory, 'docker.sock')}`,
  };
  const ran = await runUserData(folder, script, machine);
  expect(ran.errors).not.toContain('failed: this instance will not serve');
  expect(ran.code).toBe(0);
  await eventually(async () => (await stat(join(volume, 'data/etcd/member'))).uid === USER);
  expect((await stat(join(volume, 'data'))).mode & 0o777).toBe(0o700);
  const first = await container();
  expect(first).toMatchObject({
    RestartCount: 0,
    State: { Running: true },
    HostConfig: {
      NetworkMode: 'host',
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      RestartPolicy: { Name: 'always' },
      LogConfig: { Type: 'awslogs' },
    },
  });
  await engine.kill(first.State.Pid);
  await eventually(async () => {
    const { RestartCount, State } = await container();
    return RestartCount > 0 && State.Running;
  });
});

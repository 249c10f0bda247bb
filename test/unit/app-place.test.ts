import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { advertiseOf, findResidence, whoAmI } from '../../src/app-place.ts';
import { known } from '../../src/core/known.ts';
import { NO_FILE } from '../../src/config-content.ts';
import { readConfig } from '../../src/config.ts';
import { ec2Answer, zonesAnswer } from '../fakes/wire-answers.ts';
import { WIRE_IDENTITY, WIRE_TAGS, wireAwsForTest } from '../fakes/wire-aws.ts';
import { temporaryDirectory } from '../tools.ts';

const ME = { identity: WIRE_IDENTITY, own: { address: '10.0.0.1', listen: '10.0.0.1' } };
const never = new AbortController().signal;
const FIRST = { id: 'Z1', name: 'example.org' };
const SECOND = { id: 'Z2', name: 'example.org', private: true };

/** An AWS with these zones, and the directory of one appliance that looks for its place in it. */
async function world() {
  const place = await temporaryDirectory();
  let zones = [FIRST];
  let answers = true;
  const { clients } = await wireAwsForTest(({ service }) =>
    !answers
      ? { status: 400, body: '' }
      : service === 'ec2'
        ? ec2Answer([{ id: 'i-1', tags: WIRE_TAGS }])
        : zonesAnswer(zones),
  );
  onTestFinished(() => place[Symbol.asyncDispose]());
  const errors: string[] = [];
  const quiet = (): void => undefined;
  const log = {
    debug: quiet,
    info: quiet,
    warn: quiet,
    error: (_fields: object, message: string) => void errors.push(message),
  };
  const dataDir = join(place.path, 'data');
  const { config } = readConfig({ HOSTED_ZONE: 'example.org', DATA_DIR: dataDir }, NO_FILE, {
    collidingFlags: () => [],
    defaultEtcdDir: '/opt/etcd',
  });
  return {
    dataDir,
    errors,
    setZones: (more: typeof zones) => (zones = more),
    setAnswers: (now: boolean) => (answers = now),
    find: async (me = ME, limitMs = 5_000) =>
      await findResidence(config, me, clients, log, AbortSignal.timeout(limitMs)),
  };
}

test('a second zone of the same name that comes later changes nothing for who knows its own', async () => {
  const { find, setZones, errors } = await world();
  const before = await find();
  expect(before.zone.id).toBe('Z1');
  setZones([FIRST, SECOND]);
  expect(await find()).toEqual(before);
  expect(errors).toHaveLength(1);
});

test('two zones of the name are an error of the configuration for who knows none', async () => {
  const { find, setZones } = await world();
  setZones([FIRST, SECOND]);
  await expect(find()).rejects.toMatchObject({ code: 'configuration' });
});

test('a disk that takes nothing keeps no appliance from running', async () => {
  const { find, dataDir, errors } = await world();
  await writeFile(dataDir, 'no folder');
  expect((await find()).zone.id).toBe('Z1');
  expect(errors).toHaveLength(1);
  await rm(dataDir);
  await mkdir(dataDir);
  expect((await find()).zone.id).toBe('Z1');
  expect(errors).toHaveLength(1);
});

/** What is read of an environment. */
function configOf(env: Readonly<Record<string, string>>) {
  const checks = { collidingFlags: () => [], defaultEtcdDir: '/opt/etcd' };
  return readConfig(env, NO_FILE, checks).config;
}

test('within one region instances are known by private addresses, over several by public ones, unless it is said', () => {
  const home = 'eu-central-1';
  const over = (regions: string, advertise = ''): string =>
    advertiseOf(configOf({ ACTIVE_REGIONS: regions, ADVERTISE: advertise }), home);
  expect([over(''), over(home), over(home, 'public')]).toEqual(['private', 'private', 'public']);
  // The own region counts, named or not.
  expect([over('eu-west-1'), over(`${home},eu-west-1`), over('eu-west-1', 'private')]).toEqual([
    'public',
    'public',
    'private',
  ]);
});

test('an instance that is to be known by a public address waits for it, and listens at its private one', async () => {
  const said: object[] = [];
  const quiet = (): void => undefined;
  const log = { debug: quiet, info: quiet, error: quiet, warn: (fields: object) => void said.push(fields) };
  let asked = 0;
  const metadata = {
    identity: async () => await Promise.resolve(known(WIRE_IDENTITY)),
    publicAddress: async () => await Promise.resolve(known((asked += 1) > 1 ? '203.0.113.1' : null)),
    targetState: async () => await Promise.resolve(known(null)),
    spotNotice: async () => await Promise.resolve(known(null)),
  };
  const config = configOf({ ADVERTISE: 'public' });
  const { own } = await whoAmI(config, metadata, log, never);
  expect(own).toEqual({ address: '203.0.113.1', listen: '10.0.0.1' });
  expect(said).toMatchObject([{ what: 'public address' }]);
  asked = 0;
  expect((await whoAmI(configOf({}), metadata, log, never)).own.address).toBe('10.0.0.1');
  expect(asked).toBe(0);
});

test('what was kept is used while AWS is silent, unless one of the addresses is another by now', async () => {
  const { find, dataDir, setAnswers } = await world();
  const outside = { ...ME, own: { address: '203.0.113.1', listen: '10.0.0.1' } };
  const before = await find(outside);
  expect([before.self.address, before.listen]).toEqual(['203.0.113.1', '10.0.0.1']);
  setAnswers(false);
  expect(await find(outside)).toEqual(before);
  await expect(find({ ...outside, own: { ...outside.own, address: '203.0.113.2' } }, 300)).rejects.toThrow();
  await expect(find(ME, 300)).rejects.toThrow();
  // An older version knew one address, and kept no other.
  const file = join(dataDir, 'place.json');
  const kept = JSON.parse(await readFile(file, 'utf8')) as { residence: { listen?: string; self: object } };
  delete kept.residence.listen;
  kept.residence.self = { ...kept.residence.self, address: '10.0.0.1' };
  await writeFile(file, JSON.stringify(kept));
  expect((await find()).listen).toBe('10.0.0.1');
});

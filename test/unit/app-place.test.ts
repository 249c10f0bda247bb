import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { advertiseOf, findResidence, whoAmI } from '../../src/app-place.ts';
import { known, unknown } from '../../src/core/known.ts';
import { NO_FILE } from '../../src/config-content.ts';
import { readConfig } from '../../src/config.ts';
import { ec2Answer, zonesAnswer } from '../fakes/wire-answers.ts';
import { WIRE_IDENTITY, WIRE_TAGS, wireAwsForTest } from '../fakes/wire-aws.ts';
import { temporaryDirectory } from '../tools.ts';

const ME = { identity: WIRE_IDENTITY, own: { address: '10.0.0.1', listen: '10.0.0.1' } };
const never = new AbortController().signal;
const FIRST = { id: 'Z1', name: 'example.org' };
const SECOND = { id: 'Z2', name: 'example.org', private: true };

async function directory() {
  const place = await temporaryDirectory();
  onTestFinished(() => place[Symbol.asyncDispose]());
  return place;
}

/** An AWS with these zones, and the directory of one appliance that looks for its place in it. */
async function world() {
  const place = await directory();
  let zones = [FIRST];
  let answers = true;
  const { clients, server } = await wireAwsForTest(({ service }) =>
    !answers
      ? { status: 400, body: '' }
      : service === 'ec2'
        ? ec2Answer([{ id: 'i-1', tags: WIRE_TAGS }])
        : zonesAnswer(zones),
  );
  const errors: string[] = [];
  const warnings: object[] = [];
  const quiet = (): void => undefined;
  const log = {
    debug: quiet,
    info: quiet,
    warn: (fields: object) => void warnings.push(fields),
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
    warnings,
    askedZones: () => server.requests.filter(({ service }) => service === 'route53').length,
    setZones: (more: typeof zones) => (zones = more),
    setAnswers: (now: boolean) => (answers = now),
    find: async (me = ME, limitMs = 5_000, once = false) =>
      await findResidence(config, me, clients, { log, once }, AbortSignal.timeout(limitMs)),
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

test('who is refused asks less and less often: Route 53 takes five calls a second from the whole account', async () => {
  const { find, setAnswers, askedZones, warnings } = await world();
  setAnswers(false);
  // At once, after 1 s and after 2 s more; once a second would be five.
  await expect(find(ME, 4_500)).rejects.toThrow();
  expect(askedZones()).toBeGreaterThan(1);
  expect(askedZones()).toBeLessThanOrEqual(3);
  // What has not changed is said once a minute.
  expect(warnings).toHaveLength(1);
});

test('who only looks writes nothing, and waits for nobody', async () => {
  const { find, dataDir, setAnswers } = await world();
  expect((await find(ME, 5_000, true)).zone.id).toBe('Z1');
  await expect(readdir(dataDir)).rejects.toMatchObject({ code: 'ENOENT' });
  setAnswers(false);
  await expect(find(ME, 5_000, true)).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringMatching(/EC2|Route 53/) as string,
  });
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

/** Metadata that give these public addresses one after the other, the last for ever; null: none, a text with a blank: why not. */
function metadataWith(...addresses: readonly (string | null)[]) {
  let asked = 0;
  return {
    asked: () => asked,
    identity: async () => await Promise.resolve(known(WIRE_IDENTITY)),
    publicAddress: async () => {
      const address = addresses[Math.min(asked, addresses.length - 1)] ?? null;
      asked += 1;
      return await Promise.resolve(address?.includes(' ') === true ? unknown(address) : known(address));
    },
    targetState: async () => await Promise.resolve(known(null)),
    spotNotice: async () => await Promise.resolve(known(null)),
  };
}

/** A log of which the warnings are kept. */
function warningLog() {
  const said: object[] = [];
  const quiet = (): void => undefined;
  return { said, debug: quiet, info: quiet, error: quiet, warn: (fields: object) => void said.push(fields) };
}

test('an instance that is to be known by a public address waits for it, and listens at its private one', async () => {
  const log = warningLog();
  const { path } = await directory();
  const config = configOf({ ADVERTISE: 'public', DATA_DIR: path });
  const { own } = await whoAmI(config, metadataWith(null, '203.0.113.1'), { log, once: false }, never);
  expect(own).toEqual({ address: '203.0.113.1', listen: '10.0.0.1' });
  expect(log.said).toMatchObject([{ what: 'public address' }]);
  const metadata = metadataWith('203.0.113.1');
  expect(
    (await whoAmI(configOf({ DATA_DIR: path }), metadata, { log, once: false }, never)).own.address,
  ).toBe('10.0.0.1');
  expect(metadata.asked()).toBe(0);
});

test.each([
  { what: 'is taken off', now: null },
  { what: 'is not told', now: 'metadata answered 500' },
])(
  'who comes back to its data where the public address $what goes on under the kept one',
  async ({ now }) => {
    const { find, dataDir } = await world();
    await find({ ...ME, own: { address: '203.0.113.1', listen: '10.0.0.1' } });
    const log = warningLog();
    const metadata = metadataWith(now);
    const env = { ADVERTISE: 'public', HOSTED_ZONE: 'example.org', DATA_DIR: dataDir };
    const { own } = await whoAmI(configOf(env), metadata, { log, once: false }, AbortSignal.timeout(5_000));
    expect(own).toEqual({ address: '203.0.113.1', listen: '10.0.0.1' });
    expect([metadata.asked(), log.said]).toMatchObject([1, [{ address: '203.0.113.1' }]]);
    // An address that metadata do give is the one that holds.
    const { own: another } = await whoAmI(
      configOf(env),
      metadataWith('203.0.113.2'),
      { log, once: false },
      never,
    );
    expect(another.address).toBe('203.0.113.2');
  },
);

test.each([
  { what: 'another instance', kept: { id: 'i-2' } },
  { what: 'another interface', kept: { listen: '10.0.0.2' } },
  { what: 'a time when it was known by its private address', kept: { address: '10.0.0.1' } },
])('what was kept of $what gives nobody an address: it is waited for', async ({ kept }) => {
  const { find, dataDir } = await world();
  const { id = WIRE_IDENTITY.instanceId, listen = '10.0.0.1', address = '203.0.113.1' } = kept;
  await find({ ...ME, own: { address: '203.0.113.1', listen: '10.0.0.1' } });
  const file = join(dataDir, 'place.json');
  const before = JSON.parse(await readFile(file, 'utf8')) as { residence: { self: object } };
  const self = { ...before.residence.self, id, address };
  await writeFile(file, JSON.stringify({ ...before, residence: { ...before.residence, listen, self } }));
  const waits = new AbortController();
  const said: object[] = [];
  const warn = (fields: object): void => {
    said.push(fields);
    waits.abort();
  };
  const env = { ADVERTISE: 'public', HOSTED_ZONE: 'example.org', DATA_DIR: dataDir };
  const found = whoAmI(
    configOf(env),
    metadataWith(null),
    { log: { ...warningLog(), warn }, once: false },
    waits.signal,
  );
  await expect(found).rejects.toThrow('aborted');
  expect(said).toMatchObject([{ what: 'public address' }]);
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

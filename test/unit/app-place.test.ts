import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { findResidence } from '../../src/app-place.ts';
import { NO_FILE } from '../../src/config-content.ts';
import { readConfig } from '../../src/config.ts';
import { ec2Answer, zonesAnswer } from '../fakes/wire-answers.ts';
import { WIRE_IDENTITY, WIRE_TAGS, wireAwsForTest } from '../fakes/wire-aws.ts';
import { temporaryDirectory } from '../tools.ts';

const never = new AbortController().signal;
const FIRST = { id: 'Z1', name: 'example.org' };
const SECOND = { id: 'Z2', name: 'example.org', private: true };

/** An AWS with these zones, and the directory of one appliance that looks for its place in it. */
async function world() {
  const place = await temporaryDirectory();
  let zones = [FIRST];
  const { clients } = await wireAwsForTest(({ service }) =>
    service === 'ec2' ? ec2Answer([{ id: 'i-1', tags: WIRE_TAGS }]) : zonesAnswer(zones),
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
    find: async () => await findResidence(config, WIRE_IDENTITY, clients, log, never),
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

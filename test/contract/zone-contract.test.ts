import { CreateHostedZoneCommand, Route53Client } from '@aws-sdk/client-route-53';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createClients } from '../../src/aws/clients.ts';
import { findHostedZone } from '../../src/aws/hosted-zone.ts';
import { createZone } from '../../src/aws/zone.ts';
import type { RecordChange, RecordSet } from '../../src/core/records.ts';
import type { ZonePort } from '../../src/daemon/ports.ts';
import { startBareCloud } from '../fakes/bare-cloud.ts';
import { createFakeZone } from '../fakes/fake-zone.ts';
import { motoServer } from '../tools.ts';

/*
 * One suite of what a zone does, held against the fake that the daemon's tests use and against the real adapter over
 * every Route 53 that there is on this machine.
 */

const never = new AbortController().signal;

/** A zone example.org; each name in it is a cluster of its own. */
interface Subject extends AsyncDisposable {
  port(name: string): ZonePort;
}

interface Kind {
  readonly name: string;
  readonly open: () => Promise<Subject>;
  /** Rows that are known to be wrong there (facts about moto), by the name of the test. */
  readonly except: readonly string[];
}

const KINDS: readonly Kind[] = [
  {
    name: 'the sandbox',
    open: async () => {
      const bare = await startBareCloud();
      return withZone(bare.endpoint, bare);
    },
    except: [],
  },
  {
    name: 'FakeZone',
    open: async () => {
      const zone = createFakeZone('example.org');
      return Promise.resolve({
        port: (name) => zone.port(name),
        [Symbol.asyncDispose]: () => Promise.resolve(),
      });
    },
    except: [],
  },
  {
    name: 'moto',
    open: async () => {
      const moto = await motoServer();
      return withZone(moto.url, moto);
    },
    // moto checks neither what a CREATE meets nor what a DELETE names, and no values.
    except: [
      'refuses to create what exists, whatever its values',
      'deletes only exactly what is there',
      'does not replace what another has replaced before',
      'takes a batch whole or not at all',
      'lets one of many win',
      'refuses a malformed SRV value',
    ],
  },
];

/** The real adapter over the service at an endpoint, with a new zone in it. */
async function withZone(endpoint: string, server: AsyncDisposable): Promise<Subject> {
  const credentials = { accessKeyId: 'AKIAOPERATOR', secretAccessKey: 'secret' };
  const operator = new Route53Client({ region: 'eu-central-1', endpoint, credentials });
  await operator.send(new CreateHostedZoneCommand({ Name: 'example.org', CallerReference: 'contract' }));
  operator.destroy();
  const clients = createClients(
    { region: 'eu-central-1', endpoint, credentials },
    { observer: { onCall: () => undefined } },
  );
  const calls = clients.route53();
  const zone = await findHostedZone(calls, 'example.org', never);
  if (!zone.known) throw new Error(zone.reason);
  return {
    port: (name) =>
      createZone(
        { zone: zone.value, name },
        { calls, fraction: () => 0, sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)) },
      ),
    [Symbol.asyncDispose]: async () => {
      clients.destroy();
      await server[Symbol.asyncDispose]();
    },
  };
}

const create = (record: RecordSet): RecordChange => ({ action: 'CREATE', record });
const remove = (record: RecordSet): RecordChange => ({ action: 'DELETE', record });

/** The order of values means nothing. */
const sorted = (record: RecordSet): RecordSet => ({ ...record, values: record.values.toSorted() });

describe.each(KINDS)('$name', ({ open, except }) => {
  let subject: Subject;
  let count = 0;
  beforeAll(async () => {
    subject = await open();
  });
  afterAll(() => subject[Symbol.asyncDispose]());

  /** A cluster name that no other test uses, and records under it. */
  const cluster = () => {
    count += 1;
    const name = `c${count}.example.org`;
    const claim = (...values: readonly string[]): RecordSet => ({
      name: `_etcd-cluster.${name}`,
      type: 'TXT',
      ttl: 5,
      values: values.map((value) => `"${value}"`),
    });
    const a = (...values: readonly string[]): RecordSet => ({ name, type: 'A', ttl: 60, values });
    return { name, port: subject.port(name), claim, a };
  };
  const listed = async (port: ZonePort): Promise<readonly RecordSet[]> => {
    const seen = await port.list(never);
    if (!seen.known) throw new Error(seen.reason);
    return seen.value;
  };
  const row = (name: string, run: () => Promise<void>): void => {
    if (!except.includes(name)) test(name, run);
  };

  row('has nothing under a new name, and names its register', async () => {
    const { port, name } = cluster();
    expect(await listed(port)).toEqual([]);
    expect(port.register).toMatch(new RegExp(`^route53:[A-Z0-9]+/_etcd-cluster\\.${name}$`));
  });

  row('shows what was created at once, as it was written', async () => {
    const { port, name, claim, a } = cluster();
    const srv: RecordSet = {
      name: `_etcd._tcp.${name}`,
      type: 'SRV',
      ttl: 60,
      values: [`1 1 2379 i-1.${name}`, `1 1 2379 i-2.${name}`],
    };
    const batch = [claim('v1 state=forming', 'founders=i-1,i-2'), a('10.0.0.1', '10.0.0.2'), srv];
    expect(
      await port.change(
        batch.map((record) => create(record)),
        never,
      ),
    ).toEqual({ kind: 'done' });
    const seen = await listed(port);
    expect(seen).toHaveLength(3);
    for (const record of batch) {
      const found = seen.filter(({ type }) => type === record.type);
      expect(found.map((one) => sorted(one))).toEqual([sorted(record)]);
    }
  });

  row('shows only what stands at or below the name', async () => {
    const { port, name, a } = cluster();
    const neighbours = [`x${name}`, name.replace('.', '-x.'), name.replace('.', '0.')];
    for (const neighbour of neighbours) {
      expect(
        await subject.port(neighbour).change([create({ ...a('10.0.0.9'), name: neighbour })], never),
      ).toEqual({
        kind: 'done',
      });
    }
    await port.change([create(a('10.0.0.1')), create({ ...a('10.0.0.1'), name: `i-1.${name}` })], never);
    expect((await listed(port)).map((record) => record.name).toSorted()).toEqual(
      [name, `i-1.${name}`].toSorted(),
    );
  });

  row('refuses to create what exists, whatever its values', async () => {
    const { port, claim } = cluster();
    await port.change([create(claim('a'))], never);
    expect(await port.change([create(claim('b'))], never)).toMatchObject({ kind: 'conflict' });
    expect(await port.change([create(claim('a'))], never)).toMatchObject({ kind: 'conflict' });
    expect(await listed(port)).toEqual([claim('a')]);
  });

  row('deletes only exactly what is there', async () => {
    const { port, claim } = cluster();
    expect(await port.change([remove(claim('a'))], never)).toMatchObject({ kind: 'conflict' });
    await port.change([create(claim('a', 'b'))], never);
    expect(await port.change([remove(claim('a'))], never)).toMatchObject({ kind: 'conflict' });
    expect(await port.change([remove({ ...claim('a', 'b'), ttl: 6 })], never)).toMatchObject({
      kind: 'conflict',
    });
    expect(
      await port.change([remove({ ...claim('a', 'b'), type: 'A', values: ['10.0.0.1'] })], never),
    ).toMatchObject({
      kind: 'conflict',
    });
    expect(await port.change([remove(claim('a', 'b'))], never)).toEqual({ kind: 'done' });
    expect(await listed(port)).toEqual([]);
  });

  row('replaces by DELETE and CREATE in one batch', async () => {
    const { port, claim } = cluster();
    await port.change([create(claim('a'))], never);
    expect(await port.change([remove(claim('a')), create(claim('b'))], never)).toEqual({ kind: 'done' });
    expect(await listed(port)).toEqual([claim('b')]);
  });

  row('does not replace what another has replaced before', async () => {
    const { port, claim } = cluster();
    await port.change([create(claim('a'))], never);
    await port.change([remove(claim('a')), create(claim('b'))], never);
    expect(await port.change([remove(claim('a')), create(claim('c'))], never)).toMatchObject({
      kind: 'conflict',
    });
    expect(await listed(port)).toEqual([claim('b')]);
  });

  row('takes a batch whole or not at all', async () => {
    const { port, claim, a } = cluster();
    await port.change([create(claim('a'))], never);
    expect(await port.change([create(a('10.0.0.1')), create(claim('b'))], never)).toMatchObject({
      kind: 'conflict',
    });
    expect(await port.change([create(a('10.0.0.1')), remove(claim('x'))], never)).toMatchObject({
      kind: 'conflict',
    });
    expect(await listed(port)).toEqual([claim('a')]);
  });

  row('lets one of many win', async () => {
    const { name, port, claim } = cluster();
    const racers = Array.from({ length: 8 }, (_, index) => ({
      port: subject.port(name),
      record: claim(`r${index}`),
    }));
    const outcomes = await Promise.all(
      racers.map((racer) => racer.port.change([create(racer.record)], never)),
    );
    expect(outcomes.filter(({ kind }) => kind === 'done')).toHaveLength(1);
    expect(outcomes.filter(({ kind }) => kind === 'conflict')).toHaveLength(7);
    const winner = racers[outcomes.findIndex(({ kind }) => kind === 'done')];
    expect(await listed(port)).toEqual([winner?.record]);
    const swaps = await Promise.all(
      racers.map((racer, index) =>
        racer.port.change([remove(winner?.record ?? claim('')), create(claim(`s${index}`))], never),
      ),
    );
    expect(swaps.filter(({ kind }) => kind === 'done')).toHaveLength(1);
    expect(swaps.filter(({ kind }) => kind === 'conflict')).toHaveLength(7);
  });

  row('keeps long values of many strings, and characters that XML minds', async () => {
    const { port, claim } = cluster();
    const long: RecordSet = {
      ...claim(),
      values: [`"${'x'.repeat(255)}" "${'y'.repeat(255)}" "<&> 'q'"`, '"second=1"'],
    };
    expect(await port.change([create(long)], never)).toEqual({ kind: 'done' });
    expect((await listed(port)).map((one) => sorted(one))).toEqual([sorted(long)]);
    expect(await port.change([remove(long)], never)).toEqual({ kind: 'done' });
  });

  row('refuses a malformed SRV value', async () => {
    const { port, name } = cluster();
    const bad: RecordSet = { name: `_etcd._tcp.${name}`, type: 'SRV', ttl: 60, values: ['1 1 host'] };
    expect(await port.change([create(bad)], never)).toMatchObject({ kind: 'conflict' });
    expect(await listed(port)).toEqual([]);
  });

  row('has nothing to do for an empty batch', async () => {
    expect(await cluster().port.change([], never)).toEqual({ kind: 'done' });
  });

  row('lists everything where there is much', async () => {
    const { port, name, a } = cluster();
    const many = Array.from({ length: 310 }, (_, index) => ({
      ...a('10.0.0.1'),
      name: `i-${index}.${name}`,
    }));
    expect(
      await port.change(
        many.map((record) => create(record)),
        never,
      ),
    ).toEqual({ kind: 'done' });
    expect(await listed(port)).toHaveLength(310);
  });
});

import {
  ChangeResourceRecordSetsCommand,
  CreateHostedZoneCommand,
  GetChangeCommand,
  GetHostedZoneCommand,
  ListHealthChecksCommand,
  ListHostedZonesByNameCommand,
  ListHostedZonesCommand,
  ListResourceRecordSetsCommand,
  type Change,
  type ChangeAction,
  type RRType,
  type ResourceRecordSet,
} from '@aws-sdk/client-route-53';
import { describe, expect, it } from 'vitest';
import { startCloud } from './cloud-fixture.ts';

const set = (Name: string, Type: RRType, TTL: number, ...values: readonly string[]): ResourceRecordSet => ({
  Name,
  Type,
  TTL,
  ResourceRecords: values.map((Value) => ({ Value })),
});
const change = (Action: ChangeAction, ResourceRecordSet: ResourceRecordSet): Change => ({
  Action,
  ResourceRecordSet,
});

async function startZone(settings: Parameters<typeof startCloud>[0] = {}) {
  const test = await startCloud(settings);
  const zone = test.cloud.createZone('example.org');
  const send = (...Changes: readonly Change[]) =>
    test.route53.send(
      new ChangeResourceRecordSetsCommand({ HostedZoneId: zone, ChangeBatch: { Changes: [...Changes] } }),
    );
  const list = async (input: object = {}): Promise<readonly ResourceRecordSet[]> => {
    const command = new ListResourceRecordSetsCommand({ HostedZoneId: zone, ...input });
    return (await test.route53.send(command)).ResourceRecordSets ?? [];
  };
  return { ...test, zone, send, list };
}

const A = set('demo.example.org', 'A', 60, '10.0.0.1');

describe('change batches', () => {
  it('create, and show it at once; the change is PENDING and later INSYNC', async () => {
    await using test = await startZone({ route53PendingMs: 30_000 });
    const { ChangeInfo } = await test.send(
      change('CREATE', set('Demo.Example.org', 'A', 60, '10.0.0.1', '10.0.0.2')),
    );
    expect(ChangeInfo?.Status).toBe('PENDING');
    expect(await test.list({ StartRecordName: 'demo.example.org' })).toEqual([
      set('demo.example.org.', 'A', 60, '10.0.0.1', '10.0.0.2'),
    ]);
    const status = async () =>
      (await test.route53.send(new GetChangeCommand({ Id: ChangeInfo?.Id ?? '' }))).ChangeInfo?.Status;
    await test.clock.advance(29_000);
    expect(await status()).toBe('PENDING');
    await test.clock.advance(1_000);
    expect(await status()).toBe('INSYNC');
    await expect(test.route53.send(new GetChangeCommand({ Id: 'C0' }))).rejects.toMatchObject({
      name: 'NoSuchChange',
    });
  });

  it('refuse to create what exists, in the words of Route 53', async () => {
    await using test = await startZone();
    await test.send(change('CREATE', A));
    await expect(test.send(change('CREATE', A))).rejects.toMatchObject({
      name: 'InvalidChangeBatch',
      message:
        "[Tried to create resource record set [name='demo.example.org.', type='A'] but it already exists]",
    });
  });

  it('delete only what is exactly so', async () => {
    await using test = await startZone();
    await test.send(change('CREATE', set('demo.example.org', 'A', 60, '10.0.0.1', '10.0.0.2')));
    const other =
      "[Tried to delete resource record set [name='demo.example.org.', type='A'] but the values provided do not match the current values]";
    for (const wrong of [A, set('demo.example.org', 'A', 61, '10.0.0.1', '10.0.0.2')]) {
      await expect(test.send(change('DELETE', wrong))).rejects.toMatchObject({ message: other });
    }
    await test.send(change('DELETE', set('demo.example.org.', 'A', 60, '10.0.0.2', '10.0.0.1')));
    await expect(test.send(change('DELETE', A))).rejects.toMatchObject({
      message:
        "[Tried to delete resource record set [name='demo.example.org.', type='A'] but it was not found]",
    });
  });

  it('are a compare-and-swap: DELETE of what was read and CREATE of what is new, one winner of many', async () => {
    await using test = await startZone();
    const value = (text: string) => set('_etcd-cluster.demo.example.org', 'TXT', 5, `"${text}"`);
    await test.send(change('CREATE', value('epoch 1')));
    const swaps = ['a', 'b', 'c', 'd'].map((who) =>
      test.send(change('DELETE', value('epoch 1')), change('CREATE', value(`epoch 2 of ${who}`))),
    );
    const results = await Promise.allSettled(swaps);
    expect(results.filter((it) => it.status === 'fulfilled')).toHaveLength(1);
    const [kept] = await test.list({ StartRecordName: '_etcd-cluster.demo.example.org' });
    expect(kept?.ResourceRecords?.[0]?.Value).toMatch(/^"epoch 2 of [abcd]"$/);
  });

  it('are all or nothing, and name everything that is wrong', async () => {
    await using test = await startZone();
    await test.send(change('CREATE', A));
    const before = await test.list();
    const failed = test.send(
      change('CREATE', set('new.example.org', 'A', 60, '10.0.0.9')),
      change('CREATE', A),
      change('DELETE', set('none.example.org', 'A', 60, '10.0.0.9')),
    );
    await expect(failed).rejects.toMatchObject({
      message: expect.stringMatching(
        /^\[.*already exists, .*none\.example\.org\.', type='A'\] but it was not found\]$/,
      ),
    });
    expect(await test.list()).toEqual(before);
  });

  it.each<[string, ResourceRecordSet, string]>([
    ['a malformed SRV', set('_e._tcp.example.org', 'SRV', 60, '1 1 x.example.org'), 'InvalidChangeBatch'],
    [
      'an SRV port out of range',
      set('_e._tcp.example.org', 'SRV', 60, '1 1 70000 x.example.org'),
      'InvalidChangeBatch',
    ],
    ['a host name as A', set('x.example.org', 'A', 60, 'y.example.org'), 'InvalidChangeBatch'],
    ['TXT without quotes', set('x.example.org', 'TXT', 60, 'bare'), 'InvalidChangeBatch'],
    ['a TXT string of 256', set('x.example.org', 'TXT', 60, `"${'x'.repeat(256)}"`), 'InvalidChangeBatch'],
    [
      'a value of more than 4000',
      set(
        'x.example.org',
        'TXT',
        60,
        Array(16)
          .fill(`"${'x'.repeat(255)}"`)
          .join(' '),
      ),
      'InvalidChangeBatch',
    ],
    ['the same value twice', set('x.example.org', 'A', 60, '10.0.0.1', '10.0.0.1'), 'InvalidChangeBatch'],
    ['a name of another zone', set('x.example.com', 'A', 60, '10.0.0.1'), 'InvalidChangeBatch'],
    ['a CNAME at the apex', set('example.org', 'CNAME', 60, 'x.example.org'), 'InvalidChangeBatch'],
    ['a CNAME beside others', set('demo.example.org', 'CNAME', 60, 'x.example.org'), 'InvalidChangeBatch'],
    ['an empty set', { Name: 'x.example.org', Type: 'A', TTL: 60, ResourceRecords: [] }, 'InvalidInput'],
    [
      'a set without TTL',
      { Name: 'x.example.org', Type: 'A', ResourceRecords: [{ Value: '10.0.0.1' }] },
      'InvalidInput',
    ],
    ['a type that is not simulated', set('x.example.org', 'CAA', 60, '0 issue "x"'), 'NotImplemented'],
    [
      'a routing policy',
      { ...set('x.example.org', 'A', 60, '10.0.0.1'), SetIdentifier: 'a', Weight: 1 },
      'NotImplemented',
    ],
  ])('refuse %s', async (_name, record, code) => {
    await using test = await startZone();
    await test.send(change('CREATE', A));
    await expect(test.send(change('CREATE', record))).rejects.toMatchObject({ name: code });
    await expect(test.send(change('UPSERT', record))).rejects.toMatchObject({ name: code });
    expect(await test.list()).toHaveLength(3);
  });

  it('take TXT values of many strings of 255 characters, with quotes in them', async () => {
    await using test = await startZone();
    const value = `${Array(15)
      .fill(`"${'x'.repeat(255)}"`)
      .join(' ')} "a \\"b\\" <c> & d"`;
    await test.send(change('CREATE', set('x.example.org', 'TXT', 5, value)));
    const [shown] = await test.list({ StartRecordName: 'x.example.org' });
    expect(shown?.ResourceRecords).toEqual([{ Value: value }]);
  });

  it('hold at most 1,000 records, an UPSERT counted twice', async () => {
    await using test = await startZone();
    const many = (count: number, action: ChangeAction) =>
      Array.from({ length: count }, (_, index) =>
        change(action, set(`h${String(index)}.example.org`, 'A', 60, '10.0.0.1')),
      );
    await test.send(...many(1_000, 'CREATE'));
    await expect(test.send(...many(1_001, 'DELETE'))).rejects.toMatchObject({
      name: 'InvalidChangeBatch',
      message: '[Number of records limit of 1000 exceeded.]',
    });
    await test.send(...many(500, 'UPSERT'));
    await expect(test.send(...many(501, 'UPSERT'))).rejects.toMatchObject({ name: 'InvalidChangeBatch' });
  });

  it('refuse to change one set twice but by DELETE and CREATE', async () => {
    await using test = await startZone();
    await expect(test.send(change('CREATE', A), change('UPSERT', A))).rejects.toMatchObject({
      message:
        "[The request contains an invalid set of changes for a resource record set 'A demo.example.org.']",
    });
  });

  it('keep NS and SOA of the zone itself', async () => {
    await using test = await startZone();
    for (const own of await test.list()) {
      await expect(test.send(change('DELETE', own))).rejects.toMatchObject({ name: 'InvalidChangeBatch' });
    }
  });

  it('are refused while the zone is busy, and where the account asks too often', async () => {
    await using test = await startZone({ route53BusyMs: 1_000 });
    await test.send(change('UPSERT', A));
    await expect(test.send(change('UPSERT', A))).rejects.toMatchObject({ name: 'PriorRequestNotComplete' });
    await test.clock.advance(1_000);
    await test.send(change('UPSERT', A));
    test.cloud.changeSettings({ route53RateLimit: 5 });
    const burst = await Promise.allSettled(Array.from({ length: 8 }, () => test.list()));
    expect(burst.filter((it) => it.status === 'fulfilled')).toHaveLength(5);
    const refused = burst.find((it) => it.status === 'rejected');
    expect(refused?.reason).toMatchObject({ name: 'Throttling', message: 'Rate exceeded' });
    await test.clock.advance(1_000);
    expect(await test.list()).toHaveLength(3);
  });
});

describe('listing', () => {
  it('goes by reversed names and types, in pages, from a name and type on', async () => {
    await using test = await startZone();
    const names = [
      'b.demo.example.org',
      'demo.example.org',
      'demo-x.example.org',
      'a.example.org',
      '*.demo.example.org',
    ];
    await test.send(...names.map((name) => change('CREATE', set(name, 'A', 60, '10.0.0.1'))));
    await test.send(change('CREATE', set('demo.example.org', 'TXT', 60, '"t"')));
    const all = (await test.list()).map((it) => `${it.Name ?? ''} ${it.Type ?? ''}`);
    expect(all).toEqual([
      'example.org. NS',
      'example.org. SOA',
      'a.example.org. A',
      'demo-x.example.org. A',
      'demo.example.org. A',
      'demo.example.org. TXT',
      '\\052.demo.example.org. A',
      'b.demo.example.org. A',
    ]);
    const paged: string[] = [];
    let from: object = { MaxItems: 3 };
    for (;;) {
      const input = { HostedZoneId: test.zone, ...from };
      const page = await test.route53.send(new ListResourceRecordSetsCommand(input));
      paged.push(...(page.ResourceRecordSets ?? []).map((it) => `${it.Name ?? ''} ${it.Type ?? ''}`));
      if (page.IsTruncated !== true) break;
      from = { MaxItems: 3, StartRecordName: page.NextRecordName, StartRecordType: page.NextRecordType };
    }
    expect(paged).toEqual(all);
    const wild = await test.list({ StartRecordName: '\\052.demo.example.org', MaxItems: 1 });
    expect(wild[0]?.Name).toBe('\\052.demo.example.org.');
  });

  it('of zones by name starts there and goes on; two zones can share a name', async () => {
    await using test = await startCloud();
    const make = (Name: string, reference: string, PrivateZone = false) =>
      test.route53.send(
        new CreateHostedZoneCommand({ Name, CallerReference: reference, HostedZoneConfig: { PrivateZone } }),
      );
    const made = await make('example.org', '1');
    expect(made.HostedZone).toMatchObject({ Name: 'example.org.', Config: { PrivateZone: false } });
    expect(made.DelegationSet?.NameServers).toHaveLength(2);
    await make('example.org', '2', true);
    await make('example.net', '3');
    await make('sub.example.org', '4');
    await expect(make('example.org', '1')).rejects.toMatchObject({ name: 'HostedZoneAlreadyExists' });
    const byName = await test.route53.send(new ListHostedZonesByNameCommand({ DNSName: 'example.org' }));
    const names = (byName.HostedZones ?? []).map((it) => [it.Name, it.Config?.PrivateZone]);
    expect(names.slice(0, 2).toSorted()).toEqual([
      ['example.org.', false],
      ['example.org.', true],
    ]);
    expect(names.slice(2)).toEqual([['sub.example.org.', false]]);
    const page = await test.route53.send(
      new ListHostedZonesByNameCommand({ DNSName: 'example.net', MaxItems: 1 }),
    );
    expect(page).toMatchObject({ IsTruncated: true, NextDNSName: 'example.org.' });
    const { HostedZones } = await test.route53.send(new ListHostedZonesCommand({}));
    expect(HostedZones).toHaveLength(4);
  });

  it('knows its zones by id, and no others', async () => {
    await using test = await startZone();
    const { HostedZone } = await test.route53.send(new GetHostedZoneCommand({ Id: test.zone }));
    expect(HostedZone).toMatchObject({ Id: `/hostedzone/${test.zone}`, ResourceRecordSetCount: 2 });
    await expect(test.route53.send(new GetHostedZoneCommand({ Id: 'Z0' }))).rejects.toMatchObject({
      name: 'NoSuchHostedZone',
      message: 'No hosted zone found with ID: Z0',
    });
    const unknown = test.route53.send(new ListHealthChecksCommand({}));
    await expect(unknown).rejects.toMatchObject({ $metadata: { httpStatusCode: 501 } });
  });
});

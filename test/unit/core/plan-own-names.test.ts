import { describe, expect, it } from 'vitest';
import { planOwnNames } from '../../../src/core/plan-own-names.ts';
import type { RecordSet } from '../../../src/core/records.ts';

const CLUSTER = 'main.example.org';
const SELF = { id: 'i-02', address: '10.0.0.2' };
const a = (name: string, ...values: readonly string[]): RecordSet => ({ name, type: 'A', ttl: 60, values });
const srv = (name: string, port: number, ...ids: readonly string[]): RecordSet => ({
  name,
  type: 'SRV',
  ttl: 60,
  values: ids.map((id) => `1 1 ${port} ${id}.${CLUSTER}`),
});

/** The names of these instances, 10.0.0.1 being that of i-01 and so on; the server names are of all three. */
function records(...ids: readonly string[]): readonly RecordSet[] {
  const addresses = ids.map((id) => `10.0.0.${Number(id.slice(-1))}`);
  return [
    a(CLUSTER, ...addresses),
    a(`etcd-server.${CLUSTER}`, ...addresses),
    srv(`_etcd-server._tcp.${CLUSTER}`, 2380, 'i-01', 'i-02', 'i-03'),
    srv(`_etcd._tcp.${CLUSTER}`, 2379, ...ids),
    srv(`_etcd-client._tcp.${CLUSTER}`, 2379, ...ids),
    a(`i-02.${CLUSTER}`, '10.0.0.2'),
  ];
}

function after(before: readonly RecordSet[], serves: boolean): readonly RecordSet[] {
  const sets = new Map(before.map((it) => [`${it.name} ${it.type}`, it]));
  for (const { action, record } of planOwnNames({ cluster: CLUSTER, records: before, self: SELF, serves })) {
    const key = `${record.name} ${record.type}`;
    if (action === 'DELETE') {
      expect(sets.get(key)).toEqual(record);
      sets.delete(key);
    } else {
      expect(action).toBe('CREATE');
      expect(sets.has(key)).toBe(false);
      sets.set(key, record);
    }
  }
  const byName = (set: readonly RecordSet[]): readonly RecordSet[] =>
    set.toSorted((x, y) => (x.name < y.name ? -1 : 1));
  return byName([...sets.values()]);
}

const sorted = (set: readonly RecordSet[]): readonly RecordSet[] =>
  set.toSorted((x, y) => (x.name < y.name ? -1 : 1));

describe('the own names', () => {
  it('leave the client names, and no other', () => {
    expect(after(records('i-01', 'i-02', 'i-03'), false)).toEqual(sorted(records('i-01', 'i-03')));
  });

  it('come back', () => {
    expect(after(records('i-01', 'i-03'), true)).toEqual(sorted(records('i-01', 'i-02', 'i-03')));
  });

  it('are left as they are where nobody else is named', () => {
    expect(planOwnNames({ cluster: CLUSTER, records: records('i-02'), self: SELF, serves: false })).toEqual(
      [],
    );
  });

  it("leave another type's set of the same name alone", () => {
    const text: RecordSet = { name: CLUSTER, type: 'TXT', ttl: 60, values: ['"ours"'] };
    const before = [text, ...records('i-01', 'i-02')];
    expect(after(before, false)).toEqual(sorted([text, ...records('i-01')]));
  });

  it.each([true, false])('are left as they are where they are right (serves: %s)', (serves) => {
    const before = serves ? records('i-01', 'i-02') : records('i-01', 'i-03');
    expect(planOwnNames({ cluster: CLUSTER, records: before, self: SELF, serves })).toEqual([]);
  });

  it('are made where the zone names only others, and something else has the name', () => {
    const note: RecordSet = { name: `i-02.${CLUSTER}`, type: 'TXT', ttl: 60, values: ['"note"'] };
    const others = records('i-01', 'i-03').filter((it) => it.name !== note.name);
    const expected = [...records('i-01', 'i-02', 'i-03'), note];
    expect(new Set(after([...others, note], true))).toEqual(new Set(expected));
  });

  it('leave a host name that stands to who keeps house, whatever it names', () => {
    const elsewhere = a(`i-02.${CLUSTER}`, '10.0.0.9');
    const withIt = (set: readonly RecordSet[]): readonly RecordSet[] =>
      set.map((it) => (it.name === elsewhere.name ? elsewhere : it));
    expect(after(withIt(records('i-01', 'i-03')), true)).toEqual(
      sorted(withIt(records('i-01', 'i-02', 'i-03'))),
    );
  });

  it('are made where the zone names nobody', () => {
    expect(after([], true)).toEqual(
      sorted(
        records('i-02').filter((it) => !it.name.startsWith('i-01') && !it.name.startsWith('_etcd-server')),
      ),
    );
    expect(planOwnNames({ cluster: CLUSTER, records: [], self: SELF, serves: false })).toEqual([]);
  });
});

import { describe, expect, it } from 'vitest';
import {
  claimWithLost,
  claimWithVoter,
  encodeClaim,
  formedClaim,
  formingLimitMs,
  foundingClaim,
  groupsWithVoters,
  readClaim,
  regionOfGroup,
} from '../../../src/core/claim.ts';
import { allMarks, readMark } from '../../../src/core/mark.ts';
import { clusterLabel, hostName, markName, namesOf } from '../../../src/core/names.ts';
import type { RecordSet } from '../../../src/core/records.ts';
import { encodeTxt } from '../../../src/core/txt.ts';
import {
  CLUSTER,
  formed,
  forming,
  founder,
  GROUP,
  hexOf,
  idOf,
  markOf,
  recordOf,
  voter,
} from '../../fixtures/core/world.ts';

const NAME = namesOf(CLUSTER).claim;

function written(...values: readonly string[]) {
  return [{ name: NAME, type: 'TXT', ttl: 5, values }] as const;
}

/** The text of a good claim, with one thing changed. */
function changed(from: string | RegExp, to: string) {
  return written(encodeTxt(encodeClaim(formed()).replace(from, to)));
}

describe('a claim', () => {
  it('reads as text that an operator understands', () => {
    const text = encodeClaim(forming({ founders: [founder(1)], groups: ['arn:aws:x'], lost: [idOf(1)] }));
    expect(text).toBe(
      'v=1 stack=etcd-main epoch=1 state=forming lived=no token=token-1 cluster= etcd= past= groups=arn:aws:x ' +
        'founders=i-1/eu-west-1/10.0.0.1 lost=i-1 voters=',
    );
  });

  it('is read back as it was written', () => {
    const unplaced = formed({ voters: [{ ...voter(1), region: null }, voter(2)] });
    for (const claim of [
      forming(),
      forming({ etcd: '3.5' }),
      forming({ etcd: '10.12' }),
      formed(),
      unplaced,
    ]) {
      expect(readClaim(NAME, [recordOf(claim)])).toEqual({ kind: 'claim', claim, record: recordOf(claim) });
    }
  });

  it('ignores words that it does not know', () => {
    expect(readClaim(NAME, changed('v=1', 'v=1 weather=fine')).kind).toBe('claim');
  });

  it('fixes no minor where an older appliance wrote it', () => {
    const record = changed('etcd= ', '');
    expect(readClaim(NAME, record)).toMatchObject({ kind: 'claim', claim: { etcd: null } });
  });

  it('has empty lists where the words for them are missing', () => {
    const reading = readClaim(NAME, changed(/ (past|groups|founders|lost|voters)=\S*/g, ''));
    expect(reading).toMatchObject({
      kind: 'claim',
      claim: { groups: [], founders: [], lost: [], voters: [] },
    });
  });

  it('is none where only other records stand', () => {
    const others: readonly RecordSet[] = [
      markOf(1),
      { ...recordOf(forming()), name: CLUSTER },
      { ...recordOf(forming()), type: 'A' },
    ];
    expect(readClaim(NAME, others).kind).toBe('none');
  });

  it.each([
    ['no value', written()],
    ['two values', written(encodeTxt('v=1'), encodeTxt('v=1'))],
    ['two claims', written(...recordOf(forming()).values, ...recordOf(formed()).values)],
    ['no words', written('"hello world"')],
    ['no TXT notation', written('v=1')],
    ['an empty string', written('""')],
    ['a newer format', changed('v=1', 'v=2')],
    ['no stack', changed('stack=etcd-main', 'stack=')],
    ['no token', changed('token=token-1', 'token=')],
    ['a state that is not known', changed('state=formed', 'state=merging')],
    ['epoch zero', changed('epoch=1', 'epoch=0')],
    ['an epoch that is no number', changed('epoch=1', 'epoch=one')],
    ['an epoch in another notation', changed('epoch=1', 'epoch=0x10')],
    ['a word twice', changed('v=1', 'v=1 epoch=2')],
    ['a formed cluster without an id', changed(/cluster=[0-9a-f]+/, 'cluster=')],
    ['founders that start what is no minor', changed('etcd=', 'etcd=3.5.35')],
    ['founders that start any minor', changed('etcd=', 'etcd=any')],
    ['a voter without an address', changed(/voters=\S+/, 'voters=0123456789abcdef/i-1/eu-west-1/')],
    ['a voter without an id', changed(/voters=\S+/, 'voters=0123456789abcdef//eu-west-1/10.0.0.1')],
    [
      'a voter whose region is no atom',
      changed(/voters=\S+/, 'voters=0123456789abcdef/i-1/%E0%A4%A/10.0.0.1'),
    ],
    ['a voter without a member id', changed(/voters=[0-9a-f]{16}/, 'voters=1')],
    ['a voter with a word more', changed(/\/10\.0\.0\.1/, '/10.0.0.1/x')],
    ['a stack that is no atom', changed('stack=etcd-main', 'stack=%E0%A4%A')],
    ['a stack that is not there at all', changed('stack=etcd-main ', '')],
    ['a token that is no atom', changed('token=token-1', 'token=%E0%A4%A')],
    ['a token that is not there at all', changed('token=token-1 ', '')],
    ['a state that is not there at all', changed('state=formed ', '')],
    ['an epoch that is not there at all', changed('epoch=1 ', '')],
    ['an epoch that no number holds', changed('epoch=1', 'epoch=9007199254740993')],
    ['an epoch with a word before it', changed('epoch=1', 'epoch=x1')],
    ['no version', changed('v=1 ', '')],
    ['a cluster id that is no atom', changed(/cluster=[0-9a-f]+/, 'cluster=%E0%A4%A')],
    ['a formed cluster whose id is not there at all', changed(/cluster=[0-9a-f]+ /, '')],
    ['a group that is no atom', changed(/groups=\S+/, 'groups=a,%E0%A4%A')],
    ['a past token that is no atom', changed('past=', 'past=%E0%A4%A')],
    ['a lost founder that is no atom', changed('lost=', 'lost=%E0%A4%A')],
    ['a founder without an address', changed('founders=', 'founders=i-1/eu-west-1')],
    ['a founder without a region', changed('founders=', 'founders=i-1//10.0.0.1')],
    ['a founder without an id', changed('founders=', 'founders=/eu-west-1/10.0.0.1')],
    ['a founder with a word more', changed('founders=', 'founders=i-1/eu-west-1/10.0.0.1/x')],
    ['a voter that is nothing but a member id', changed(/voters=\S+/, 'voters=0123456789abcdef')],
    ['a voter whose member id is too long', changed(/voters=/, 'voters=0')],
    ['a voter whose member id is no hex', changed(/voters=[0-9a-f]/, 'voters=G')],
    ['a voter whose member id ends in what is none', changed(/(voters=[0-9a-f]{16})/, '$1x')],
  ])('is never guessed: %s', (_name, records) => {
    expect(readClaim(NAME, records).kind).toBe('unreadable');
  });
});

describe('the next claim', () => {
  const birth = { stack: 'etcd-main', token: 'next', groups: ['b', 'a'], founders: [founder(2), founder(1)] };

  it('counts on, forgets a token that was never formed, and remembers the last five that were', () => {
    expect(foundingClaim({ ...birth, before: forming({ epoch: 4, pastTokens: ['p'] }) })).toMatchObject({
      epoch: 5,
      pastTokens: ['p'],
      lived: false,
      state: 'forming',
    });
    const past = ['a', 'b', 'c', 'd', 'e'];
    expect(foundingClaim({ ...birth, before: formed({ pastTokens: past }) }).pastTokens).toEqual([
      'token-1',
      'a',
      'b',
      'c',
      'd',
    ]);
  });

  it('is the same text whoever writes it', () => {
    const one = foundingClaim({ ...birth, before: null });
    const two = foundingClaim({
      ...birth,
      groups: ['a', 'b'],
      founders: [founder(1), founder(2)],
      before: null,
    });
    expect(encodeClaim(one)).toBe(encodeClaim(two));
  });

  it('remembers the token of an epoch that was being seeded anew', () => {
    const before = formed({ state: 'reseeding', pastTokens: ['p'] });
    expect(foundingClaim({ ...birth, before }).pastTokens).toEqual(['token-1', 'p']);
  });

  it('is the first where there was none, of the stack, founders and groups that were given, sorted', () => {
    expect(foundingClaim({ ...birth, before: null })).toEqual(
      forming({ token: 'next', groups: ['a', 'b'], founders: [founder(1), founder(2)] }),
    );
  });

  it.each([
    [1, 180_000],
    [2, 360_000],
    [4, 1_440_000],
    [5, 1_800_000],
    [4_000, 1_800_000],
  ])('of epoch %d may stand forming for %d ms', (epoch, limitMs) => {
    expect(formingLimitMs(forming({ epoch }), 180_000, 1_800_000)).toBe(limitMs);
  });
});

describe('a claim that changes', () => {
  it('names who lost its data once, sorted', () => {
    const once = claimWithLost(forming({ lost: [idOf(2)] }), idOf(1));
    expect(once).toEqual(forming({ lost: [idOf(1), idOf(2)] }));
    expect(claimWithLost(once, idOf(2))).toEqual(once);
  });

  it('lists a voter once, as it is now, sorted by member id whoever wrote it', () => {
    const one = { ...voter(1), memberId: 'a'.repeat(16) };
    const two = { ...voter(2), memberId: 'b'.repeat(16) };
    const moved = { ...one, address: '10.0.0.9' };
    expect(claimWithVoter(formed({ voters: [two] }), one).voters).toEqual([one, two]);
    expect(claimWithVoter(formed({ voters: [one, two] }), moved).voters).toEqual([moved, two]);
  });

  it('is formed with its cluster id and its voters, sorted', () => {
    const voters = [1, 2, 3].map((n) => voter(n));
    const sorted = formed().voters;
    for (const order of [voters, voters.toReversed()]) {
      expect(formedClaim(forming(), 'c1', order)).toEqual(
        forming({ state: 'formed', lived: true, clusterId: 'c1', voters: sorted }),
      );
    }
  });
});

describe('the groups that are refreshed', () => {
  const elsewhere = GROUP.replaceAll('eu-west-1', 'us-east-1');
  const groups = [GROUP, elsewhere];

  it('are those of regions in which a voter is: a region that was given up has nobody to be replaced', () => {
    expect(groupsWithVoters(formed({ groups }))).toEqual([GROUP]);
    const both = [voter(1), { ...voter(2), region: 'us-east-1' }];
    expect(groupsWithVoters(formed({ groups, voters: both }))).toEqual(groups);
  });

  it('are in no region where they are no ARNs', () => {
    expect(regionOfGroup('etcd-main')).toBe('');
  });

  it('are all while the region of a voter is not known', () => {
    const voters = [voter(1), { ...voter(2), region: null }];
    expect(groupsWithVoters(formed({ groups, voters }))).toEqual(groups);
  });
});

describe('a mark', () => {
  it('is read back as it was written, and found among other records', () => {
    const records = [recordOf(forming()), markOf(1), markOf(2, 'token-1', hexOf('n'))];
    expect(readMark(CLUSTER, idOf(1), records)?.mark).toEqual({
      instanceId: idOf(1),
      token: 'token-1',
      nonce: 'nonce-1',
    });
    expect(readMark(CLUSTER, idOf(3), records)).toBeNull();
    expect(allMarks(CLUSTER, records).map((it) => it.instanceId)).toEqual([idOf(1), idOf(2)]);
  });

  it('reads as text that an operator understands', () => {
    expect(markOf(1)).toEqual({
      name: '_etcd-start.i-1.main.example.org',
      type: 'TXT',
      ttl: 5,
      values: ['"v=1 token=token-1 nonce=nonce-1"'],
    });
  });

  it.each([['garbage'], [], ['"v=1 token=%E0%A4%A nonce=%E0%A4%A"'], ['"v=1"'], ['"hello world"']])(
    "that is malformed is nobody's token and nonce: %s",
    (...values) => {
      const record = { ...markOf(1), values };
      expect(readMark(CLUSTER, idOf(1), [record])?.mark).toEqual({
        instanceId: idOf(1),
        token: '',
        nonce: '',
      });
    },
  );

  it('is none where another kind of record has its name, or a text its beginning or its end', () => {
    const others: readonly RecordSet[] = [
      { ...markOf(1), type: 'A' },
      { ...markOf(1), name: '_etcd-start.i-1.other.example.org' },
      { ...markOf(1), name: `note.${CLUSTER}` },
    ];
    expect(readMark(CLUSTER, idOf(1), others)).toBeNull();
    expect(allMarks(CLUSTER, others)).toEqual([]);
  });
});

describe('names', () => {
  it('are those that the Python original gave, and two of our own', () => {
    expect(namesOf('main.example.org')).toEqual({
      cluster: 'main.example.org',
      server: 'etcd-server.main.example.org',
      srvServer: '_etcd-server._tcp.main.example.org',
      srvClient: ['_etcd._tcp.main.example.org', '_etcd-client._tcp.main.example.org'],
      claim: '_etcd-cluster.main.example.org',
    });
    expect([hostName(CLUSTER, 'I-0AB'), markName(CLUSTER, 'I-0AB')]).toEqual([
      'i-0ab.main.example.org',
      '_etcd-start.i-0ab.main.example.org',
    ]);
  });
});

describe('clusterLabel', () => {
  it.each([
    ['etcd-cluster-main', 'main'],
    ['main', 'main'],
    ['etcd-MAIN', 'main'],
  ])('%s: %s', (stack, label) => {
    expect(clusterLabel(stack)).toBe(label);
  });
});

import { describe, expect, it } from 'vitest';
import { addressOf, alarmsOf, isOutOfSpace, quorumOf } from '../../../src/core/members.ts';
import { member, status } from '../../fixtures/core/world.ts';

describe('quorumOf', () => {
  it.each([
    [1, 1],
    [2, 2],
    [3, 2],
    [4, 3],
    [5, 3],
    [6, 4],
    [7, 4],
  ])('of %d voters is %d', (voters, quorum) => {
    expect(quorumOf(voters)).toBe(quorum);
  });
});

describe('isOutOfSpace', () => {
  it.each([
    [[], false],
    [['etcdserver: no leader'], false],
    [['etcdserver: no leader', 'memberID:1 alarm:NOSPACE'], true],
  ])('errors %j: %s', (errors, is) => {
    expect(isOutOfSpace(status(1, { errors }))).toBe(is);
  });
});

describe('alarmsOf', () => {
  it.each([
    [[], []],
    [['etcdserver: no leader'], []],
    // Whether one blank or two stand between the words is left to chance from one build of etcd to the next.
    [
      ['etcdserver: no leader', 'memberID:10276657743932975437 alarm:NOSPACE ', 'memberID:1  alarm:CORRUPT'],
      [
        { memberId: '8e9e05c52164694d', alarm: 'NOSPACE' },
        { memberId: '0000000000000001', alarm: 'CORRUPT' },
      ],
    ],
    [['alarm:NOSPACE'], [{ memberId: '', alarm: 'NOSPACE' }]],
  ])('errors %j: %j', (errors, alarms) => {
    expect(alarmsOf(status(1, { errors }))).toEqual(alarms);
  });
});

describe('addressOf', () => {
  it.each([
    [['http://10.0.0.1:2380', 'http://10.0.0.2:2380'], '10.0.0.1'],
    [[], ''],
  ])('a member at %j is at "%s"', (peerUrls, address) => {
    expect(addressOf(member(1, { peerUrls }))).toBe(address);
  });
});

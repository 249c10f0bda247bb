import { describe, expect, it } from 'vitest';
import { addressOf, isOutOfSpace, quorumOf } from '../../../src/core/members.ts';
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

describe('addressOf', () => {
  it.each([
    [['http://10.0.0.1:2380', 'http://10.0.0.2:2380'], '10.0.0.1'],
    [[], ''],
  ])('a member at %j is at "%s"', (peerUrls, address) => {
    expect(addressOf(member(1, { peerUrls }))).toBe(address);
  });
});

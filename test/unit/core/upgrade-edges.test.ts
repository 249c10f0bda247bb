import { describe, expect, it } from 'vitest';
import {
  edgeUp,
  hasWayDown,
  hidesDowngrade,
  isBadRelease,
  mayJoinNewer,
  whyNotSteppedTo,
} from '../../../src/core/upgrade-edges.ts';

describe('edgeUp', () => {
  it.each([
    ['3.4', '3.5', '3.4.0', '3.5.26', 'without-auth'],
    ['3.5', '3.6', '3.5.32', '3.6.5', 'without-v2'],
    ['3.6', '3.7', '3.6.11', '3.7.0', 'needs-snapshot'],
  ])('%s to %s: from %s at least, to %s at least, %s', (from, to, leastFrom, leastTo, demand) => {
    expect(edgeUp(from, to)).toEqual({
      leastFrom,
      leastTo,
      withoutAuth: demand === 'without-auth',
      withoutV2: demand === 'without-v2',
      needsSnapshot: demand === 'needs-snapshot',
    });
  });

  it.each([
    ['3.4', '3.6'],
    ['3.5', '3.7'],
    ['3.7', '3.8'],
    ['3.6', '3.5'],
    ['3.5', '3.5'],
  ])('knows no way from %s to %s', (from, to) => {
    expect(edgeUp(from, to)).toBeNull();
  });
});

describe('hasWayDown', () => {
  it.each([
    ['3.4', false],
    ['3.5', false],
    ['3.6', true],
    ['3.7', true],
    ['3.10', true],
  ])('from %s: %s', (minor, expected) => {
    expect(hasWayDown(minor)).toBe(expected);
  });
});

describe('hidesDowngrade', () => {
  it.each([
    ['3.4', false],
    ['3.5', true],
    ['3.6', false],
    ['3.7', false],
  ])('%s: %s', (minor, expected) => {
    expect(hidesDowngrade(minor)).toBe(expected);
  });
});

describe('isBadRelease', () => {
  it.each([
    ['3.3.27', false],
    ['3.4.0', true],
    ['3.4.20', true],
    ['3.4.21', false],
    ['3.5.0', true],
    ['3.5.2', true],
    ['3.5.5', true],
    ['3.5.6', false],
    ['3.6.0', false],
  ])('%s: %s', (version, expected) => {
    expect(isBadRelease(version)).toBe(expected);
  });
});

const LOST = /^is a release that lost data: install a newer one of 3\.\d$/;
const CAN_LOSE = /^can lose data .*: install 3\.\d\.\d+ or a newer one of 3\.\d$/;

describe('whyNotSteppedTo', () => {
  it.each([
    ['3.4.20', LOST],
    ['3.4.21', CAN_LOSE],
    ['3.4.37', CAN_LOSE],
    ['3.4.38', null],
    ['3.5.5', LOST],
    ['3.5.6', CAN_LOSE],
    ['3.5.22', CAN_LOSE],
    ['3.5.23', null],
    ['3.6.0', CAN_LOSE],
    ['3.6.4', CAN_LOSE],
    ['3.6.5', null],
    ['3.7.0', null],
  ])('%s: %s', (version, expected) => {
    const why = whyNotSteppedTo(version);
    expect(why).toEqual(expected === null ? null : expect.stringMatching(expected));
  });
});

describe('mayJoinNewer', () => {
  it.each([
    ['3.4', '3.5', true],
    ['3.5', '3.6', true],
    // The log may hold entries that 3.7 dies of.
    ['3.6', '3.7', false],
    // 3.6 kills the members of 3.4.
    ['3.4', '3.6', false],
    ['3.5', '3.7', false],
    ['3.7', '3.8', false],
    ['3.6', '3.5', false],
    ['3.6', '3.6', false],
  ])('into %s with %s: %s', (cluster, minor, expected) => {
    expect(mayJoinNewer(cluster, minor)).toBe(expected);
  });
});

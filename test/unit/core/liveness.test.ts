import { describe, expect, it } from 'vitest';
import type { LivenessCode, LivenessObservation } from '../../../src/core/liveness.ts';
import { planLiveness } from '../../../src/core/liveness.ts';
import { covered, declared } from '../../fixtures/core/codes.ts';

interface Case {
  readonly name: string;
  readonly seen: LivenessObservation;
  readonly kind: 'alive' | 'ask' | 'dead';
  readonly code: LivenessCode;
}

const MINUTE = 60_000;
const seen = (
  silentMs: number,
  answeredOnce: boolean,
  peersAnswered: boolean | null,
  seededMs: number | null = null,
  far = false,
): LivenessObservation => ({
  silentMs,
  answeredOnce,
  peersAnswered,
  seededMs,
  far,
  defragments: false,
  restores: false,
  idleMs: null,
});

const cases: readonly Case[] = [
  { name: 'it answers', seen: seen(0, true, null), kind: 'alive', code: 'alive' },
  { name: 'a short silence', seen: seen(29_999, true, null), kind: 'alive', code: 'alive' },
  {
    name: 'it answered, and is frozen',
    seen: seen(30_000, true, null),
    kind: 'dead',
    code: 'liveness-failed',
  },
  {
    name: 'it answered, and only its peer port still does',
    seen: seen(30_000, true, true),
    kind: 'dead',
    code: 'liveness-failed',
  },
  {
    name: 'it defragments a database of gigabytes',
    seen: { ...seen(14 * MINUTE, true, null), defragments: true },
    kind: 'alive',
    code: 'alive-defragmenting',
  },
  {
    name: 'it began to, and hangs',
    seen: { ...seen(15 * MINUTE, true, null), defragments: true, idleMs: 0 },
    kind: 'dead',
    code: 'liveness-failed',
  },
  {
    name: 'it was done with that a moment ago, and no ask was answered yet',
    seen: { ...seen(14 * MINUTE, true, null), idleMs: 29_999 },
    kind: 'alive',
    code: 'alive',
  },
  {
    name: 'it was done with that, and has answered nobody for as long as another',
    seen: { ...seen(14 * MINUTE, true, null), idleMs: 30_000 },
    kind: 'dead',
    code: 'liveness-failed',
  },
  {
    name: 'a joiner that was done with a large snapshot a moment ago',
    seen: { ...seen(20_000, false, null, 20_000), idleMs: 100 },
    kind: 'alive',
    code: 'alive',
  },
  {
    name: 'a joiner that was done with a large snapshot, and has not served since',
    seen: { ...seen(20_000, false, null, 20_000), idleMs: 19_000 },
    kind: 'dead',
    code: 'publication-lost',
  },
  {
    name: 'it puts a snapshot of ten million keys in place',
    seen: { ...seen(14 * MINUTE, true, null), restores: true },
    kind: 'alive',
    code: 'alive-restoring',
  },
  {
    name: 'it began to, and hangs',
    seen: { ...seen(15 * MINUTE, true, null), restores: true, idleMs: 0 },
    kind: 'dead',
    code: 'liveness-failed',
  },
  {
    name: 'it never answered, and was done with a snapshot a moment ago: its peer port is asked',
    seen: { ...seen(30_000, false, null), idleMs: 100 },
    kind: 'ask',
    code: 'alive-starting',
  },
  {
    name: 'it never answered: its peer port is asked',
    seen: seen(30_000, false, null),
    kind: 'ask',
    code: 'alive-starting',
  },
  {
    name: 'started without a quorum, for an hour: never killed for that',
    seen: seen(60 * MINUTE, false, true),
    kind: 'alive',
    code: 'alive-without-quorum',
  },
  {
    name: 'it reads a large database',
    seen: seen(14 * MINUTE, false, false),
    kind: 'alive',
    code: 'alive-starting',
  },
  {
    name: 'it hangs from its start on',
    seen: seen(15 * MINUTE, false, false),
    kind: 'dead',
    code: 'start-hangs',
  },
  {
    name: 'a joiner whose snapshot is in place, and that does not serve yet',
    seen: seen(400, false, null, 499),
    kind: 'alive',
    code: 'alive',
  },
  {
    name: 'the same for longer, and the leader may be in another region',
    seen: seen(500, false, null, 1_999, true),
    kind: 'alive',
    code: 'alive',
  },
  {
    name: 'the same for two seconds: from there, too, its publication would have come',
    seen: seen(500, false, null, 2_000, true),
    kind: 'dead',
    code: 'publication-lost',
  },
  {
    name: 'a joiner whose snapshot has been in place for half a second: its publication was lost',
    seen: seen(500, false, null, 500),
    kind: 'dead',
    code: 'publication-lost',
  },
  {
    name: 'a joiner that puts another snapshot in place, half a second after the first',
    seen: { ...seen(500, false, null, 500), restores: true },
    kind: 'alive',
    code: 'alive',
  },
  {
    name: 'a joiner that serves, its snapshot long in place',
    seen: seen(0, true, null, 60_000),
    kind: 'alive',
    code: 'alive',
  },
];

describe('planLiveness', () => {
  it.each(cases)('$name', ({ seen: facts, kind, code }) => {
    expect(planLiveness(facts)).toMatchObject({ kind, reason: { code } });
  });

  it('shows every code that a verdict can have', () => {
    expect(covered(cases.map((it) => it.code))).toEqual(
      declared<LivenessCode>({
        alive: true,
        'alive-defragmenting': true,
        'alive-restoring': true,
        'alive-starting': true,
        'alive-without-quorum': true,
        'liveness-failed': true,
        'publication-lost': true,
        'start-hangs': true,
      }),
    );
  });
});

import type { Happening } from '../world/happening.ts';

/** Tells of each happening in turn whether a fault began or ended so shortly before it that nobody need know; ms. */
export function createUnnoticed(noticedMs: number): (it: Happening, atMs: number) => boolean {
  /** When faults began, and when they end or ended. */
  let turns: readonly number[] = [];
  return (it, atMs) => {
    if (it.kind === 'fault') {
      turns = [...turns.filter((at) => atMs - at < noticedMs), atMs, atMs + it.lastsMs];
    }
    return turns.some((at) => at <= atMs && atMs - at < noticedMs);
  };
}

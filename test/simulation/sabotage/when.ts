import type { Incident, IncidentKind } from '../incident.ts';
import type { Plot } from '../plot.ts';

/** Nobody's cluster is born before this, nor unborn long after; ms. */
const BIRTH_MS = 8_000;

/** Plots with so many incidents of these kinds while a cluster is being born. */
export function duringBirth(kinds: readonly IncidentKind[], least = 1): (plot: Plot) => boolean {
  return ({ incidents }) =>
    incidents.filter((it) => it.atMs < BIRTH_MS && kinds.includes(it.kind)).length >= least;
}

/** Plots in which one of the first kinds is soon followed, or came shortly after, one of the second; both after the birth. */
export function together(
  first: readonly IncidentKind[],
  second: readonly IncidentKind[],
  withinMs: number,
): (plot: Plot) => boolean {
  const later = (it: Incident): boolean => it.atMs >= BIRTH_MS;
  return ({ incidents }) =>
    incidents.some(
      (one) =>
        later(one) &&
        first.includes(one.kind) &&
        incidents.some(
          (other) =>
            other !== one &&
            later(other) &&
            second.includes(other.kind) &&
            Math.abs(other.atMs - one.atMs) <= withinMs,
        ),
    );
}

/** Plots in which one of these kinds comes while members do not hear each other, and have not for so long that all know; ms. */
export function duringCut(kinds: readonly IncidentKind[], sinceMs: number): (plot: Plot) => boolean {
  return ({ incidents }) =>
    incidents.some(
      (cut) =>
        cut.kind === 'partition' &&
        cut.traffic.includes('peer') &&
        incidents.some(
          (it) =>
            kinds.includes(it.kind) &&
            it.atMs > cut.atMs + sinceMs &&
            it.atMs < cut.atMs + cut.lastsMs - sinceMs,
        ),
    );
}

import type { FaultKind } from '../../src/sandbox/model.ts';

/** In these ways no call of AWS gives an answer; in all others it gives one that is not the truth. */
export const SILENT_FAULTS = [
  'throttle',
  'error',
  'hang',
  'reset',
  'refuse',
  'lost-answer',
  'malformed',
] as const satisfies readonly FaultKind[];

/** In these it shows less than there is, or what was. */
export const LYING_FAULTS = ['empty', 'half', 'stale', 'self-only'] as const satisfies readonly FaultKind[];

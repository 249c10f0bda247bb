import { RESTART_BACKOFF_MAX_MS, RESTART_BACKOFF_MS } from './numbers.ts';

/**
 * How long to wait before etcd is started again after its `failures`-th death in a row (0: it was well before).
 * The first restart is at once; then 1 s doubling to 30 s, with full jitter so that members do not restart in step.
 * `fraction` is in [0, 1). Milliseconds.
 */
export function restartDelayMs(failures: number, fraction: number): number {
  if (failures <= 0) return 0;
  const ceiling = Math.min(RESTART_BACKOFF_MAX_MS, RESTART_BACKOFF_MS * 2 ** (failures - 1));
  return Math.round(ceiling * fraction);
}

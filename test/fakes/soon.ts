import type { VirtualClock } from './virtual-clock.ts';

/** Nothing that is waited for on virtual time takes longer. */
const LIMIT_MS = 600_000;

/** Lets time pass until a promise is settled, and gives its value. Throws where it waits for ever. */
export function soonOn(clock: VirtualClock): <T>(work: Promise<T>) => Promise<T> {
  return async (work) => {
    let over = false;
    const end = (): void => {
      over = true;
    };
    work.then(end, end);
    if (!(await clock.until(() => over, LIMIT_MS))) throw new Error('it waits for ever');
    return await work;
  };
}

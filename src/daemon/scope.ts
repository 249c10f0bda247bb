import { ApplianceError } from '../errors.ts';

/** Work that is let go as soon as its answer is not needed any more. */
export interface Scope {
  /** Aborts at the end of the scope, or with the signal that the scope is in. */
  readonly signal: AbortSignal;
  /** Ends what still goes on under the signal. */
  end(): void;
}

/** Why it ends; one for all, as an error of its own costs its trace. */
const OVER = new ApplianceError({ code: 'aborted' }, 'nobody waits for it any more');

/** A scope within another signal. By hand: it is opened in most turns, and `AbortSignal.any` keeps and costs much more. */
export function openScope(outer: AbortSignal): Scope {
  const own = new AbortController();
  const onAbort = (): void => own.abort(outer.reason);
  if (outer.aborted) onAbort();
  else outer.addEventListener('abort', onAbort, { once: true });
  return {
    signal: own.signal,
    end() {
      outer.removeEventListener('abort', onAbort);
      own.abort(OVER);
    },
  };
}

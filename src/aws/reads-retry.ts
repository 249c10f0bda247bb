import type { Route53ClientConfig } from '@aws-sdk/client-route-53';

/** The SDK's own shape of what decides on another try. */
type Strategy = Extract<
  NonNullable<Route53ClientConfig['retryStrategy']>,
  { acquireInitialRetryToken: unknown }
>;
type Token = Awaited<ReturnType<Strategy['acquireInitialRetryToken']>>;

/**
 * Route 53 gives the whole account five requests a second, and a birth wants eight to ten in its first two: a read that
 * is refused is asked again when the next is due, not after the second that the SDK may wait. The pause is at least half
 * of its bound, since asking again sooner is what Route 53 complains of.
 */
const THROTTLED_MS = 400;
const TRANSIENT_MS = 100;

/** Retries of reads: as many tries as given, less and less often, and only where the SDK says that another may help. */
export function retryOfReads(tries: number, fraction: () => number): Strategy {
  return {
    acquireInitialRetryToken: async () => Promise.resolve(tokenOf(0, 0)),
    refreshRetryTokenForRetry: async (token, { errorType, error }) => {
      const retry = token.getRetryCount() + 1;
      const boundMs =
        errorType === 'THROTTLING' ? THROTTLED_MS : errorType === 'TRANSIENT' ? TRANSIENT_MS : null;
      if (boundMs === null || retry >= tries) throw error ?? new Error(`no try is left of ${tries}`);
      return Promise.resolve(tokenOf(retry, boundMs * 2 ** (retry - 1) * (0.5 + fraction() / 2)));
    },
    recordSuccess: () => undefined,
  };
}

function tokenOf(count: number, delayMs: number): Token {
  return { getRetryCount: () => count, getRetryDelay: () => delayMs };
}

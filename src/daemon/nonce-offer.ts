import { offeredMark } from '../core/local-data.ts';
import { reason } from '../core/reason.ts';
import { hasCode } from '../errors.ts';
import type { Ports } from './ports.ts';
import type { Chronicle } from './state.ts';

/** The nonce that an instance without data offers to who claims. */
export interface NonceOffer {
  /**
   * Makes and flushes it, where there are neither data nor a mark; once in a process, whoever needs it first. The start of
   * etcd begins with it, so it never takes the place of a mark that the start made.
   */
  make(signal: AbortSignal): Promise<void>;
}

/** The offer of one appliance. */
export function createNonceOffer(
  ports: Pick<Ports, 'data' | 'random'>,
  chronicle: Pick<Chronicle, 'trouble'>,
): NonceOffer {
  let made: Promise<void> | null = null;
  const offer = async (signal: AbortSignal): Promise<void> => {
    const { present, mark } = await ports.data.read(signal);
    if (present || mark !== null) return;
    try {
      await ports.data.writeMark(offeredMark(ports.random.token()), signal);
    } catch (error) {
      // Data that were set aside may have to make room first. Without an offer this instance makes its mark itself.
      if (!hasCode(error, 'cannot-write')) throw error;
      chronicle.trouble('offer-nonce', reason('cannot-write', error.message));
    }
  };
  return {
    async make(signal) {
      made ??= offer(signal).catch((error: unknown) => {
        made = null;
        throw error;
      });
      await made;
    },
  };
}

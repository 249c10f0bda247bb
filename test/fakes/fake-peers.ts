import type { BirthAnswer } from '../../src/core/birth.ts';
import type { UpgradeAnswer } from '../../src/core/upgrade.ts';
import { known, type Known, unknown } from '../../src/core/known.ts';
import type { PeersPort } from '../../src/daemon/ports.ts';
import { beforeDeadline } from './deadline.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** What answers at an address; null: nothing does. */
export interface PeerAt {
  birth(hint: { readonly epoch: number }, signal: AbortSignal): Promise<BirthAnswer>;
  upgrade(fresh: boolean, signal: AbortSignal): Promise<UpgradeAnswer>;
}

const DEADLINE_MS = 2_000;

/**
 * The other appliances. One that dies while it is asked is silent, and the asker's own deadline ends the wait, as over a
 * network; one that is not there refuses at once.
 */
export function createFakePeers(
  at: (address: string) => PeerAt | null,
  deps: { readonly clock: VirtualClock; readonly random: SeededRandom },
): PeersPort {
  const { clock, random } = deps;
  const ask = async <T>(
    address: string,
    question: (peer: PeerAt) => Promise<T>,
    signal: AbortSignal,
  ): Promise<Known<T>> => {
    await clock.sleep(random.int(1, 10), signal);
    const peer = at(address);
    if (peer === null) return unknown('connection refused');
    try {
      const limit = {
        clock,
        limitMs: DEADLINE_MS,
        late: () => unknown(`no answer in ${DEADLINE_MS} ms`),
      };
      return await beforeDeadline<Known<T>>(question(peer).then(known), limit, signal);
    } catch (error) {
      signal.throwIfAborted();
      return unknown(String(error));
    }
  };
  const never = new AbortController().signal;
  return {
    askBirth: (address, hint, signal) => ask(address, (peer) => peer.birth(hint, never), signal),
    askUpgrade: (address, { fresh }, signal) => ask(address, (peer) => peer.upgrade(fresh, never), signal),
  };
}

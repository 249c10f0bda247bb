import type { SeededRandom } from './seeded-random.ts';

/**
 * What a message is: of etcd to its peers, to etcd's client port, between appliances, to AWS, to the own machine's metadata.
 */
export type Traffic = 'peer' | 'client' | 'http' | 'aws' | 'imds';

/** An address, or a service that has none. */
export type Place = string;

/** Which messages a fault of the network is about. */
export interface Route {
  readonly traffic: readonly Traffic[];
  /** Whether it is about messages from here to there. */
  concerns(from: Place, to: Place): boolean;
}

/**
 * Who reaches whom. Each way counts for itself: an answer needs the way back, and where that is cut, what was asked for
 * happens and nobody hears of it. A machine always reaches itself.
 */
export interface Network {
  /** Whether messages can get there at all. */
  reaches(from: Place, to: Place, traffic: Traffic): boolean;
  /** Whether the next message gets there: not where it is cut, and by chance where messages are lost. */
  passes(from: Place, to: Place, traffic: Traffic): boolean;
  /** How late the next message is, beyond what is usual; ms. */
  delayMs(from: Place, to: Place, traffic: Traffic): number;
  /** Nothing is wrong anywhere. */
  isWhole(): boolean;
  /** Each of these begins a fault, and gives the way to end it. */
  cut(route: Route): () => void;
  /** A share of the messages is lost, [0, 1]. */
  lose(route: Route, share: number): () => void;
  /** Messages are late by up to so much; ms. */
  slow(route: Route, upToMs: number): () => void;
  /** Is told whenever who reaches whom may have changed. Gives the way to stop listening. */
  watch(listener: () => void): () => void;
}

interface Fault {
  readonly route: Route;
  /** Share of the messages that is lost; 1: it is cut. */
  readonly share: number;
  readonly upToMs: number;
}

function isCut({ share }: Fault): boolean {
  return share >= 1;
}

/** A network in which everybody reaches everybody, at once. */
export function createNetwork(random: SeededRandom): Network {
  const faults = new Set<Fault>();
  const listeners = new Set<() => void>();
  const begin = (fault: Fault): (() => void) => {
    faults.add(fault);
    for (const it of listeners) it();
    return () => {
      if (!faults.delete(fault)) return;
      for (const it of listeners) it();
    };
  };
  const some = (from: Place, to: Place, traffic: Traffic, matters: (fault: Fault) => boolean): boolean => {
    if (faults.size === 0 || from === to) return false;
    for (const it of faults)
      if (it.route.traffic.includes(traffic) && it.route.concerns(from, to) && matters(it)) return true;
    return false;
  };
  return {
    reaches: (from, to, traffic) => faults.size === 0 || !some(from, to, traffic, isCut),
    passes: (from, to, traffic) =>
      !some(from, to, traffic, (it) => it.share >= 1 || (it.share > 0 && random.chance(it.share))),
    delayMs(from, to, traffic) {
      let longest = 0;
      some(from, to, traffic, (it) => {
        if (it.upToMs > 0) longest = Math.max(longest, random.int(0, it.upToMs));
        return false;
      });
      return longest;
    },
    isWhole: () => faults.size === 0,
    cut: (route) => begin({ route, share: 1, upToMs: 0 }),
    lose: (route, share) => begin({ route, share, upToMs: 0 }),
    slow: (route, upToMs) => begin({ route, share: 0, upToMs }),
    watch(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

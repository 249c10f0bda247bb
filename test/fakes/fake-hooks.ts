import type { Known } from '../../src/core/known.ts';
import { known } from '../../src/core/known.ts';
import type { HookOutcome, HooksPort } from '../../src/daemon/ports.ts';

/** Which way an instance goes. */
export type Transition = 'launching' | 'terminating';

type Answer = Known<HookOutcome>;

/** The lifecycle hooks of one instance. */
export interface FakeHooks extends HooksPort {
  /** Which transitions the group has hooks for. */
  readonly has: Set<Transition>;
  /** In which the instance waits now. */
  readonly waits: Set<Transition>;
  /** In which it will wait: a load balancer drains its connections first. */
  readonly toCome: Set<Transition>;
  /** Answers to the next calls, of whichever kind, instead of true ones; nothing is taken then. */
  readonly next: Answer[];
  readonly heard: {
    readonly call: 'complete' | 'heartbeat';
    readonly which: Transition;
    readonly answer: Answer;
  }[];
}

/** Hooks of a group that has none. `onCompleted` is told when a wait ends. */
export function createFakeHooks(onCompleted: (which: Transition) => void = () => undefined): FakeHooks {
  const answer = (which: Transition): Answer => {
    if (!fake.has.has(which)) return known('no-hook');
    if (fake.waits.has(which)) return known('done');
    return known(fake.toCome.has(which) ? 'to-come' : 'not-waiting');
  };
  const fake: FakeHooks = {
    has: new Set(),
    waits: new Set(),
    toCome: new Set(),
    next: [],
    heard: [],
    async complete(which) {
      await Promise.resolve();
      const instead = fake.next.shift();
      const given = instead ?? answer(which);
      fake.heard.push({ call: 'complete', which, answer: given });
      if (instead === undefined && fake.waits.delete(which)) onCompleted(which);
      return given;
    },
    async heartbeat(which) {
      await Promise.resolve();
      const given = fake.next.shift() ?? answer(which);
      fake.heard.push({ call: 'heartbeat', which, answer: given });
      return given;
    },
  };
  return fake;
}

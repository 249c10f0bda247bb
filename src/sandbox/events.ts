import type { Clock, CloudEvent, EventLog } from './model.ts';

/** More than any demo or test makes; a sandbox that stands for days forgets its oldest. */
const KEPT_EVENTS = 20_000;

/** The log of what happened, in memory, numbered from 1. */
export function createEventLog(clock: Clock): EventLog {
  let events: CloudEvent[] = [];
  let last = 0;
  const listeners = new Set<(event: CloudEvent) => void>();
  return {
    emit(type, fields) {
      last += 1;
      const event: CloudEvent = { seq: last, atMs: clock.now(), type, fields };
      events.push(event);
      if (events.length > 2 * KEPT_EVENTS) events = events.slice(-KEPT_EVENTS);
      for (const listener of listeners) listener(event);
    },
    since: (seq) => events.filter((event) => event.seq > seq),
    subscribe(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
  };
}

import type { LawCheck } from './law.ts';

/** Law 10: a process that was killed, or is frozen, does nothing. */
export const deadIsDead: LawCheck = {
  law: 10,
  check: 'dead-is-dead',
  watch: (report) => (it) => {
    if (it.kind === 'ran-on') report(`the appliance of ${it.id} was killed, and calls ${it.what}`);
  },
};

/** Law 10: no loop ends in an error that nobody expected. */
export const nothingThrown: LawCheck = {
  law: 10,
  check: 'nothing-thrown',
  watch: (report) => (it) => {
    if (it.kind === 'threw') report(`${it.id}: ${it.what}`);
  },
};

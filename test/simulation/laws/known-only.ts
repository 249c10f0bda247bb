import type { LawCheck } from './law.ts';

/** An answer may be under way while a batch is planned and its lock is looked at; ms. */
const PLANNED_MS = 5_000;

/** Law 4: whoever removes a voter that is not its own knows the fleet: its last answer was one, and had itself in it. */
export const knownOnly: LawCheck = {
  law: 4,
  check: 'known-only',
  watch: (report) => {
    /** By asker: whether EC2's last word on anybody was one. */
    const answered = new Map<string, boolean>();
    return (it) => {
      if (it.kind === 'appliance') answered.delete(it.id);
      if (it.kind === 'evidence-answer') answered.set(it.to, it.words !== null);
      if (it.kind !== 'removal-sent' || it.member.learner || it.member.name === it.by) return;
      if (answered.get(it.by) !== true)
        report(`${it.by} removes ${it.member.name} (${it.member.id}), and EC2 told it nothing`);
    };
  },
};

/** Law 4: whoever takes names away knows the fleet: its last answer was one, and had itself in it. */
export const namesKnownOnly: LawCheck = {
  law: 4,
  check: 'names-known-only',
  watch: (report) => {
    /** By asker: since when AWS has not answered it. */
    const blind = new Map<string, number>();
    return (it, atMs) => {
      if (it.kind === 'appliance') blind.set(it.id, Number.NEGATIVE_INFINITY);
      if (it.kind === 'fleet-answer') {
        if (it.instances !== null) blind.delete(it.to);
        else if (!blind.has(it.to)) blind.set(it.to, atMs);
      }
      // Who steps knows of itself that it does not serve.
      if (it.kind !== 'batch-sent' || it.takes.length === 0 || it.step === true) return;
      const since = blind.get(it.by);
      if (since !== undefined && atMs - since > PLANNED_MS)
        report(`${it.by} takes ${it.takes.join()} away, and AWS told it nothing of the fleet`);
    };
  },
};

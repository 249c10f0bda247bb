import type { LawCheck } from './law.ts';

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

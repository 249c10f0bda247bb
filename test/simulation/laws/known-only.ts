import type { Ec2Evidence } from '../../../src/core/fleet.ts';
import type { LawCheck } from './law.ts';

/** An answer may be under way while a batch is planned and its lock is looked at; ms. */
const PLANNED_MS = 5_000;

/** What EC2 says of an instance that will not run again, or whose group may have let it go. */
const ENDS: ReadonlySet<Ec2Evidence> = new Set(['shutting-down', 'terminated', 'stopped', 'not-found']);

/** Law 4: whoever removes a voter that is not its own was told by EC2, last of all, that this very instance is gone. */
export const knownOnly: LawCheck = {
  law: 4,
  check: 'known-only',
  watch: (report) => {
    /** By asker: EC2's last word on each instance; an answer that is none makes all of them unknown. */
    const heard = new Map<string, Map<string, Ec2Evidence>>();
    return (it) => {
      if (it.kind === 'appliance') heard.delete(it.id);
      if (it.kind === 'evidence-answer') {
        const before = it.words === null ? [] : (heard.get(it.to) ?? []);
        heard.set(it.to, new Map([...before, ...Object.entries(it.words ?? {})]));
      }
      if (it.kind !== 'removal-sent' || it.member.learner || it.member.name === it.by) return;
      const words = heard.get(it.by) ?? new Map<string, Ec2Evidence>();
      // One that never started has no name: it is known by its address, which the removal does not tell.
      const about = it.member.name === '' ? [...words.values()] : [words.get(it.member.name)];
      if (about.some((word) => word !== undefined && ENDS.has(word))) return;
      const told = about.find((word) => word !== undefined) ?? 'nothing';
      report(`${it.by} removes ${it.member.name} (${it.member.id}), and EC2 told it ${told}`);
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
    /** When it was asked for the newest answer that was one: a slower one of before says nothing more. */
    const newest = new Map<string, number>();
    return (it, atMs) => {
      if (it.kind === 'appliance') {
        blind.set(it.id, Number.NEGATIVE_INFINITY);
        newest.delete(it.id);
      }
      if (it.kind === 'fleet-answer') {
        const isOld = it.askedAtMs < (newest.get(it.to) ?? Number.NEGATIVE_INFINITY);
        if (it.instances !== null) {
          blind.delete(it.to);
          if (!isOld) newest.set(it.to, it.askedAtMs);
        } else if (!isOld && !blind.has(it.to)) blind.set(it.to, atMs);
      }
      // Who steps knows of itself that it does not serve.
      if (it.kind !== 'batch-sent' || it.takes.length === 0 || it.step === true) return;
      const since = blind.get(it.by);
      if (since !== undefined && atMs - since > PLANNED_MS)
        report(`${it.by} takes ${it.takes.join()} away, and AWS told it nothing of the fleet`);
    };
  },
};

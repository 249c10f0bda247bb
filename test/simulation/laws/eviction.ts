import type { Ec2Evidence } from '../../../src/core/fleet.ts';
import type { LawCheck } from './law.ts';

/**
 * Law 6: a voter goes by its own appliance, that leaves or has lost the data; or by another's, when EC2 has it no more, or
 * has stopped it and its group does not list it.
 */
export const evidence: LawCheck = {
  law: 6,
  check: 'evidence',
  watch: (report) => {
    const told = new Set<string>();
    /** Members whose own appliance asked for their end when their data were gone. */
    const lost = new Set<string>();
    const ec2 = new Map<string, { readonly word: Ec2Evidence; readonly listed: boolean }>();
    return (it) => {
      if (it.kind === 'told' && it.to === 'go') told.add(it.id);
      if (it.kind === 'ec2') ec2.set(it.id, it);
      if (it.kind === 'removal-sent' && it.by === it.member.name && !it.hasData) lost.add(it.member.id);
      if (it.kind !== 'membership' || it.change !== 'remove' || it.member.learner) return;
      const { by, member, hasData } = it;
      if (by === member.name) {
        if (!told.has(by) && hasData && !lost.has(member.id))
          report(`${by} removes itself, and neither leaves nor lost its data`);
        return;
      }
      const known = ec2.get(member.name);
      const gone = known?.word === 'shutting-down' || known?.word === 'terminated';
      const stopped = known?.word === 'stopped' && !known.listed;
      if (!gone && !stopped)
        report(`${by} removes ${member.name}, of which EC2 says ${known?.word ?? 'nothing'}`);
    };
  },
};

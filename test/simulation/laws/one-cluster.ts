import { claimReading } from '../world/claim.ts';
import type { LawCheck } from './law.ts';

/**
 * Law 1: no name is ever promised to two clusters. No stack is deleted here; a claim that a person released comes back, unless
 * a majority's data went, too, or it was freed, as he wanted it; one that he made unreadable stays so until he puts it back. And
 * where he replaced the group, and the data went before anybody joined from the new one, that looks like a stack that was made
 * anew.
 */
export const onePromise: LawCheck = {
  law: 1,
  check: 'one-promise',
  watch: (report) => {
    let promised: string | null = null;
    let released = false;
    let garbled = false;
    let majorityLost = false;
    /** There is a group from which nobody has joined. */
    let unseen = false;
    return (it) => {
      if (it.kind === 'released') released = true;
      if (it.kind === 'garbled') garbled = true;
      if (it.kind === 'voters-left' && it.intact * 2 <= it.voters) majorityLost = true;
      if (it.kind === 'regrouped') unseen = true;
      if (it.kind === 'membership' && it.change === 'add') unseen = false;
      if (((released || unseen) && majorityLost) || it.kind === 'freed') promised = null;
      if (it.kind !== 'records') return;
      const reading = claimReading(it.after);
      if (reading.kind === 'unreadable' && !garbled) report(`the claim cannot be read: ${reading.why}`);
      if (reading.kind === 'none' && promised !== null && !released)
        report('the claim of a cluster that lives is gone');
      if (reading.kind !== 'claim') return;
      const { clusterId, epoch, state } = reading.claim;
      if (state === 'forming' && promised !== null && !released)
        report(`epoch ${epoch} forms, and cluster ${promised} was promised before`);
      if (state !== 'formed') return;
      if (promised !== null && promised !== clusterId)
        report(`cluster ${clusterId ?? ''} is promised in epoch ${epoch}, and ${promised} was before`);
      promised = clusterId;
    };
  },
};

/**
 * Law 1: members whose appliances say that they are ready are all of one cluster, but for one that was away while a person
 * freed the name: it has to come back to hear of that.
 */
export const oneServes: LawCheck = {
  law: 1,
  check: 'one-serves',
  watch: (report) => {
    let freed = false;
    return (it) => {
      if (it.kind === 'freed') freed = true;
      if (it.kind === 'ready' && it.clusters.length > 1 && !freed)
        report(`members of two clusters are ready: ${it.clusters.join(', ')}`);
    };
  },
};

/** Law 1: `--initial-cluster-state new` once per claim and instance. */
export const foundedOnce: LawCheck = {
  law: 1,
  check: 'founded-once',
  watch: (report) => {
    const founded = new Set<string>();
    return (it) => {
      if (it.kind !== 'founding') return;
      const key = `${it.id} ${it.token}`;
      if (founded.has(key)) report(`${it.id} founds twice under the token ${it.token}`);
      founded.add(key);
    };
  },
};

/** Law 1: whoever founds does so under the token of a claim that names it, and every birth has a token of its own. */
export const ownToken: LawCheck = {
  law: 1,
  check: 'own-token',
  watch: (report) => {
    const epochs = new Map<string, number>();
    const founders = new Map<string, readonly string[]>();
    return (it) => {
      if (it.kind === 'founding' && !(founders.get(it.token) ?? []).includes(it.id))
        report(`${it.id} founds under the token ${it.token}, and no claim with it names it`);
      if (it.kind !== 'records') return;
      const reading = claimReading(it.after);
      if (reading.kind !== 'claim') return;
      const { token, epoch } = reading.claim;
      const before = epochs.get(token);
      if (before !== undefined && before !== epoch)
        report(`the token ${token} is of epoch ${before} and of epoch ${epoch}`);
      epochs.set(token, epoch);
      if (reading.claim.state === 'forming')
        founders.set(
          token,
          reading.claim.founders.map((one) => one.instanceId),
        );
    };
  },
};

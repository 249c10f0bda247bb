import { claimReading } from '../world/claim.ts';
import type { LawCheck } from './law.ts';

/** Law 7: an etcd that serves the cluster of the claim is stopped only where its appliance was told to stop or to go. */
export const stoppedForReason: LawCheck = {
  law: 7,
  check: 'stopped-for-reason',
  watch: (report) => {
    const told = new Set<string>();
    // Who goes, goes, however often its appliance starts until then.
    const goes = new Set<string>();
    let lives: string | null = null;
    return (it) => {
      if (it.kind === 'appliance' && it.runs) told.delete(it.id);
      if (it.kind === 'told') (it.to === 'go' ? goes : told).add(it.id);
      if (it.kind === 'records') {
        const reading = claimReading(it.after);
        const formed = reading.kind === 'claim' && reading.claim.state === 'formed';
        lives = formed ? reading.claim.clusterId : null;
      }
      if (
        it.kind === 'etcd-stopped' &&
        it.served &&
        // For a step, which law 8 judges.
        it.step === undefined &&
        it.clusterId === lives &&
        !told.has(it.id) &&
        !goes.has(it.id)
      )
        report(`${it.id} stops its etcd, which serves the cluster that lives`);
    };
  },
};

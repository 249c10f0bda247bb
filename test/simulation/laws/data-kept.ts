import { claimReading } from '../world/claim.ts';
import type { Happening } from '../world/happening.ts';
import type { LawCheck } from './law.ts';

type Discarded = Extract<Happening, { kind: 'discarded' }>;

/**
 * Law 2: what was once on a disk stays there, in use or set aside; but for the data of a member that was never a voter, and
 * those that a voter's of the same cluster beside them stand for, or of an epoch that was never formed where a later one is,
 * which go where the disk is short.
 */
export const dataKept: LawCheck = {
  law: 2,
  check: 'data-kept',
  watch: (report) => {
    const held = new Map<string, ReadonlySet<string>>();
    /**
     * Data that a learner's stand for, which had all of the cluster when it asked for its vote and was removed before it got it;
     * "on which instance, of whom".
     */
    const stoodFor = new Set<string>();
    /** Members that were added, and never promoted. */
    const learners = new Set<string>();
    /** Ids of clusters that a claim promised. */
    const promised = new Set<string>();
    const partsOf = (one: string): readonly string[] => one.split('/');
    return (it) => {
      if (it.kind === 'membership' && it.change === 'add') learners.add(it.member.id);
      if (it.kind === 'membership' && it.change === 'promote') learners.delete(it.member.id);
      if (it.kind === 'records') {
        const reading = claimReading(it.after);
        if (reading.kind === 'claim' && reading.claim.clusterId !== null)
          promised.add(reading.claim.clusterId);
      }
      if (it.kind === 'discarded' && standsThere(it)) stoodFor.add(`${it.id} ${it.gone.of}`);
      if (it.kind !== 'disk') return;
      const now = new Set(it.holds);
      const before = held.get(it.id) ?? new Set();
      held.set(it.id, now);
      if (it.wiped) return;
      const voters = it.holds.map(partsOf).filter(([, member = '']) => !learners.has(member));
      for (const one of before) {
        const [cluster, member = ''] = partsOf(one);
        const unborn = promised.size > 0 && cluster !== undefined && !promised.has(cluster);
        const dispensable = unborn || learners.has(member) || voters.some(([other]) => other === cluster);
        if (!now.has(one) && !dispensable && !stoodFor.has(`${it.id} ${one}`))
          report(`the data of ${one} on ${it.id} are gone`);
      }
    };
  },
};

/** Law 2: who may be a voter from now on has it beside its data, flushed: else they would be the first to go. */
export const voteNoted: LawCheck = {
  law: 2,
  check: 'vote-noted',
  watch: (report) => (it) => {
    if (it.kind === 'promotion-sent' && it.noted === false)
      report(`${it.by} asks for a promotion, and its data are not noted as a voter's`);
  },
};

/** From the word that a disk is short to a deletion for it: an appliance may be frozen in between; ms. */
const SHORT_KNOWN_MS = 3 * 60_000;

/** Law 2: data are deleted where the disk is short, a voter's last, and never the newest intact ones of a cluster that lived. */
export const discardedInOrder: LawCheck = {
  law: 2,
  check: 'discarded-in-order',
  watch: (report) => {
    /** Ids of clusters that a claim promised. */
    const promised = new Set<string>();
    return (it) => {
      if (it.kind === 'records') {
        const reading = claimReading(it.after);
        if (reading.kind === 'claim' && reading.claim.clusterId !== null)
          promised.add(reading.claim.clusterId);
      }
      if (it.kind !== 'discarded') return;
      const { gone, older, newer, used } = it;
      if (it.shortMs > SHORT_KNOWN_MS) report(`${it.id} deletes ${gone.of}, and its disk is not short`);
      if (!gone.voter) return;
      if ([...older, ...newer].some((one) => !one.voter))
        report(`${it.id} deletes ${gone.of}, and keeps what was never a voter's`);
      const [cluster = ''] = gone.of.split('/');
      if (promised.has(cluster) && gone.readable && !standsThere({ gone, newer, used }))
        report(`${it.id} deletes ${gone.of}, the newest of a voter of its cluster`);
    };
  },
};

/**
 * Whether newer data of a voter of the same cluster, or of who was about to be one, can be read beside what is deleted, set
 * aside or in use. That data are damaged which no etcd was started on since, nobody can know.
 */
function standsThere({ gone, newer, used }: Pick<Discarded, 'gone' | 'newer' | 'used'>): boolean {
  const [cluster = ''] = gone.of.split('/');
  return [...newer, ...(used === null ? [] : [used])].some(
    (one) => one.readable && one.voter && one.of.startsWith(`${cluster}/`),
  );
}

/** Law 2: readable data that the cluster still counts on as a voter's stay in use. */
export const votersDataUsed: LawCheck = {
  law: 2,
  check: 'voters-data-used',
  watch: (report) => (it) => {
    if (it.kind === 'set-aside' && it.voter && it.readable)
      report(`${it.id} sets aside the data of voter ${it.memberId}, which can be read`);
  },
};

/** Law 2: what etcd acknowledged is there for whoever reads it, unless a majority's disks went, or a person freed the name. */
export const writesKept: LawCheck = {
  law: 2,
  check: 'writes-kept',
  watch: (report) => {
    /** Of each key: what was acknowledged, and when; oldest first. */
    const written = new Map<string, { readonly atMs: number; readonly count: number }[]>();
    let majorityLost = false;
    return (it, atMs) => {
      if (it.kind === 'voters-left' && it.intact * 2 <= it.voters) majorityLost = true;
      if (it.kind === 'written') {
        const acks = written.get(it.key) ?? [];
        acks.push({ atMs, count: it.count });
        written.set(it.key, acks);
      }
      if (it.kind === 'freed') written.clear();
      if (it.kind !== 'read' || majorityLost) return;
      const before = (written.get(it.key) ?? []).findLast((one) => one.atMs <= it.beganAtMs);
      if (before !== undefined && (it.count ?? 0) < before.count)
        report(`${it.key} reads ${it.count ?? 'nothing'}, and ${before.count} was acknowledged`);
    };
  },
};

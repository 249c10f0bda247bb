import type { LawCheck } from './law.ts';

/** Law 2: what was once on a disk stays there, in use or set aside. */
export const dataKept: LawCheck = {
  law: 2,
  check: 'data-kept',
  watch: (report) => {
    const held = new Map<string, ReadonlySet<string>>();
    return (it) => {
      if (it.kind !== 'disk') return;
      const now = new Set(it.holds);
      if (!it.wiped)
        for (const one of held.get(it.id) ?? [])
          if (!now.has(one)) report(`the data of ${one} on ${it.id} are gone`);
      held.set(it.id, now);
    };
  },
};

/** Law 2: readable data that the cluster still counts on as a voter's stay in use. */
export const votersDataUsed: LawCheck = {
  law: 2,
  check: 'voters-data-used',
  watch: (report) => (it) => {
    if (it.kind === 'set-aside' && it.voter && it.readable)
      report(`${it.id} sets aside the data of voter ${it.memberId}, which can be read`);
  },
};

/** Law 2: what etcd acknowledged is there for whoever reads it, unless a majority's disks went. */
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
      if (it.kind !== 'read' || majorityLost) return;
      const before = (written.get(it.key) ?? []).findLast((one) => one.atMs <= it.beganAtMs);
      if (before !== undefined && (it.count ?? 0) < before.count)
        report(`${it.key} reads ${it.count ?? 'nothing'}, and ${before.count} was acknowledged`);
    };
  },
};

import type { LawCheck } from './law.ts';

/**
 * Law 3: a member begins without a log once; wiped, it comes back under another id. Who takes the id of a removed predecessor,
 * on the word of a peer that is behind, has no vote: that it ends, and joins anew, is seen in the end.
 */
export const beginsOnce: LawCheck = {
  law: 3,
  check: 'begins-once',
  watch: (report) => {
    const began = new Map<string, string>();
    return (it) => {
      if (it.kind !== 'member-begins') return;
      const key = `${it.clusterId}/${it.memberId}`;
      const before = began.get(key);
      if (before !== undefined && it.listed)
        report(`${key} begins without its log on ${it.id}, and began on ${before} before`);
      began.set(key, it.id);
    };
  },
};

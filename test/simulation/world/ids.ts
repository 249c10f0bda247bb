import type { IdsPort } from '../../../src/daemon/ports.ts';

/** Ids as etcd derives them, each hashed once. */
export function rememberedIds(ids: IdsPort): IdsPort {
  const known = new Map<string, string>();
  const once = (key: string, make: () => string): string => {
    const there = known.get(key);
    if (there !== undefined) return there;
    const made = make();
    known.set(key, made);
    return made;
  };
  return {
    memberId: (url, token) => once(`member ${url} ${token}`, () => ids.memberId(url, token)),
    clusterId: (urls, token) => once(`cluster ${urls.join()} ${token}`, () => ids.clusterId(urls, token)),
  };
}

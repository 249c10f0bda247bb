import { known } from '../../src/core/known.ts';
import type { InspectPort } from '../../src/daemon/ports.ts';

/** Data that nothing keeps from a step: no v2 content, and nothing old to replay. What differs is handed in. */
export function createFakeInspect(differs: Partial<InspectPort> = {}): InspectPort {
  return {
    v2Content: async () => await Promise.resolve(known('clean')),
    snapshotIndex: async () => await Promise.resolve(known(null)),
    logReplay: async () =>
      await Promise.resolve(known({ snapshotIndex: 0, lastIndex: 4, lastV2Index: null })),
    disk: async () => await Promise.resolve(known({ freeBytes: 50e9, totalBytes: 100e9 })),
    databaseBytes: async () => await Promise.resolve(known(20_480)),
    binary: async () => await Promise.resolve(null),
    ...differs,
  };
}

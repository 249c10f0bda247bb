import type { Known } from '../../src/core/known.ts';
import { known } from '../../src/core/known.ts';
import type { MetadataPort } from '../../src/daemon/ports.ts';

/** What an instance's metadata say; a test changes them. */
export interface FakeMetadata extends MetadataPort {
  target: Known<string | null>;
  spot: Known<{ readonly action: string; readonly time: string } | null>;
}

/** Metadata of an instance in a group that means to keep it. */
export function createFakeMetadata(): FakeMetadata {
  const fake: FakeMetadata = {
    target: known('InService'),
    spot: known(null),
    async targetState() {
      await Promise.resolve();
      return fake.target;
    },
    async spotNotice() {
      await Promise.resolve();
      return fake.spot;
    },
  };
  return fake;
}

import { describe, test, vi } from 'vitest';
import { freezesAfterLook, holderFreezes } from '../e2e/upgrade-freezes.ts';

// They wait for leases to run out, far longer than they work: more of them at a time than elsewhere.
vi.setConfig({ maxConcurrency: 4 });

describe.concurrent('who steps is frozen, loses its lock, and does nothing more under it', () => {
  test.for(['before-stop', 'after-start', 'clearing', 'lowering'] as const)(
    '%s, and somebody revokes the lease',
    async (moment, context) => {
      await holderFreezes(context, moment, 'revoked');
    },
  );

  test.for(['before-stop', 'after-start'] as const)(
    '%s, for longer than the lease lasts',
    async (moment, context) => {
      await holderFreezes(context, moment, 'expired');
    },
  );

  test.for(['names', 'stop'] as const)(
    'right after its last look at the lock, before: %s',
    async (look, context) => {
      await freezesAfterLook(context, look);
    },
  );
});

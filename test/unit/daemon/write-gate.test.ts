import { expect, it } from 'vitest';
import type { RecordChange } from '../../../src/core/records.ts';
import { createWriteGate } from '../../../src/daemon/write-gate.ts';
import { createSeededRandom } from '../../fakes/seeded-random.ts';
import { createVirtualClock } from '../../fakes/virtual-clock.ts';

const batch = (value: string): readonly RecordChange[] => [
  { action: 'CREATE', record: { name: 'a.example.org', type: 'TXT', ttl: 5, values: [value] } },
];
const conflict = (value: string) => ({ kind: 'conflict', message: `refused ${value}` }) as const;

// What nobody sees may stand in the way for days, and each batch has a token of its own.
it('remembers the last batches that were refused, and not all of them', async () => {
  const clock = createVirtualClock();
  const gate = createWriteGate({ clock, random: createSeededRandom(1) });
  for (let tick = 0; tick < 100; tick += 1) {
    gate.note(batch(`${tick}`), conflict(`${tick}`));
    await clock.advance(30_000);
  }
  // Refused again, a batch is the newest of them.
  gate.note(batch('98'), conflict('98 again'));
  expect(gate.early(batch('99'))).toEqual(conflict('99'));
  expect(gate.early(batch('a new one'))).toEqual(conflict('98 again'));
  expect(gate.early(batch('0'))).toEqual(conflict('98 again'));
});

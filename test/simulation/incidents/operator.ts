import { namesOf } from '../../../src/core/names.ts';
import { ownRecords } from '../../../src/core/own-records.ts';
import { type RecordSet, swap } from '../../../src/core/records.ts';
import { claimIn } from '../world/claim.ts';
import { promisedClaim } from '../world/convergence.ts';
import { CLUSTER } from '../world/names.ts';
import type { World } from '../world/world.ts';
import { announce, type Strikes } from './target.ts';

const CLAIM = namesOf(CLUSTER).claim;

/** What a person does to the register, past every appliance. */
export const OPERATOR_INCIDENTS: Strikes<'claim'> = {
  claim: (world, { does, lastsMs }) => {
    const records = world.zone.records();
    const record = records.find((it) => it.name === CLAIM);
    if (record === undefined) return false;
    switch (does) {
      case 'delete':
        announce(world, 'somebody deletes the claim');
        takeAway(world, [record]);
        return true;
      case 'release':
        announce(world, 'somebody releases the claim');
        takeAway(world, ownRecords(CLUSTER, records));
        return true;
      case 'garble':
        if (claimIn(records) === null) return false;
        announce(world, `somebody writes garbage into the claim, and puts it back after ${lastsMs} ms`);
        garble(world, record, lastsMs);
        return true;
    }
  },
};

function takeAway(world: World, records: readonly RecordSet[]): void {
  world.claimTaken = promisedClaim(world);
  world.tell({ kind: 'released' });
  world.zone.edit(records.map((record) => ({ action: 'DELETE', record })));
}

function garble(world: World, record: RecordSet, lastsMs: number): void {
  const garbage: RecordSet = { ...record, values: ['"somebody was here"'] };
  world.claimTaken = promisedClaim(world);
  world.tell({ kind: 'garbled' });
  world.zone.edit(swap(record, garbage));
  world.clock.after(lastsMs, () => {
    const there = world.zone.records().find((it) => it.name === CLAIM);
    // Somebody may have released the name since.
    if (there === undefined || there.values[0] !== garbage.values[0]) return;
    world.note('world', 'the claim is put back');
    world.zone.edit(swap(there, record));
  });
}

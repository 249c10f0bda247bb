import { describeError } from '../../../src/errors.ts';
import { calm } from '../../etcd-lab.ts';
import { classOf, expire, lock, outcomeOf } from './calls.ts';
import { createMachines } from './machines.ts';
import { createObserver } from './observer.ts';
import type { Operation, Standing } from './operation.ts';
import type { EtcdSubject } from './subject.ts';

/** Drives one subject: does what it is told, waits until that has had its effect, and tells both. */
export interface Driver {
  standing(): Standing;
  /** A cluster of the first three slots. */
  found(): Promise<string>;
  /** Does it, and tells what came of it: the class of the answer, and how things are when all has settled. */
  perform(operation: Operation): Promise<string>;
}

/** etcd changes members only by connections that are older than 5 s. */
const HEALTHY_MS = 5_700;
const END_MS = 25_000;

/** A driver of a subject on which nothing runs. */
export function createDriver(subject: EtcdSubject): Driver {
  const { admin } = subject;
  const machines = createMachines(subject);
  const { machine, at, standing, start, existing, founding, disturb, disturbedAt, eventually } = machines;
  const { fate, look } = createObserver(machines);
  let removedAt = Number.NEGATIVE_INFINITY;
  let writes = 0;

  const joining = async (slot: number): Promise<string> => {
    const words = await fate(slot);
    if (machine(slot).state === 'down') machine(slot).joined = false;
    return words;
  };
  const act = async (operation: Operation): Promise<string> => {
    switch (operation.kind) {
      case 'put':
        writes += 1;
        return classOf(await admin.put(at(operation.via).endpoint, operation.key, `v${writes}`, {}, calm));
      case 'get':
      case 'get-local': {
        const serializable = operation.kind === 'get-local';
        return classOf(await admin.read(at(operation.via).endpoint, operation.key, { serializable }, calm));
      }
      case 'lock':
        return await lock(subject, at(operation.via).endpoint, operation.key);
      case 'expire':
        return await expire(subject, at(operation.via).endpoint, operation.key);
      case 'add':
      case 'promote':
      case 'remove':
      case 'remove-unknown':
      case 'move':
        return await change(operation);
      case 'join':
        if (machine(operation.slot).state === 'down') await subject.wipe(operation.slot);
        await start(operation.slot, existing());
        return await joining(operation.slot);
      case 'miscount': {
        const bogus = { name: 'n9', endpoint: '', peerUrl: 'http://127.0.0.9:2380' };
        await subject.wipe(operation.slot);
        await start(operation.slot, existing([bogus]));
        return await joining(operation.slot);
      }
      case 'kill':
      case 'stop':
        await subject.end(operation.slot, operation.kind === 'kill' ? 'SIGKILL' : 'SIGTERM');
        machine(operation.slot).state = 'down';
        disturb();
        return 'ended';
      case 'start':
        try {
          await start(operation.slot, null);
        } catch (error) {
          return describeError(error);
        }
        return await fate(operation.slot);
      case 'freeze':
      case 'thaw':
        await subject.freeze(operation.slot, operation.kind === 'freeze');
        machine(operation.slot).state = operation.kind === 'freeze' ? 'frozen' : 'live';
        disturb();
        return 'done';
      case 'wipe':
      case 'refound': {
        const { slot } = operation;
        await subject.end(slot, 'SIGKILL');
        await subject.wipe(slot);
        await start(slot, operation.kind === 'wipe' ? existing() : founding());
        const words = await fate(slot);
        machine(slot).spoiled = machine(slot).state === 'down';
        return words;
      }
    }
  };
  const change = async (
    operation: Extract<
      Operation,
      { readonly kind: 'add' | 'promote' | 'remove' | 'remove-unknown' | 'move' }
    >,
  ): Promise<string> => {
    const { endpoint } = at(operation.via);
    const waitsMs = Math.max(disturbedAt() + HEALTHY_MS, removedAt + 1_100) - subject.now();
    if (waitsMs > 0) await subject.pass(waitsMs);
    if (operation.kind === 'remove-unknown')
      return outcomeOf(await admin.removeMember(endpoint, 'deadbeefdeadbeef', calm));
    const { slot } = operation;
    const memberId = machine(slot).memberId ?? 'deadbeefdeadbeef';
    if (operation.kind === 'promote') return outcomeOf(await admin.promote(endpoint, memberId, calm));
    if (operation.kind === 'move') return outcomeOf(await admin.moveLeader(endpoint, memberId, calm));
    if (operation.kind === 'add') {
      const added = await admin.addLearner(endpoint, at(slot).peerUrl, calm);
      if (added.ok) machine(slot).spoiled = false;
      return outcomeOf(added);
    }
    const outcome = await admin.removeMember(endpoint, memberId, calm);
    // Who removes itself may end before it has answered.
    const ended = (): boolean => subject.exitOf(slot)?.saysRemoved ?? false;
    const isGone = outcome.ok || (operation.via === slot && (await eventually(ended, 3_000)));
    if (!isGone) return outcomeOf(outcome);
    removedAt = subject.now();
    Object.assign(machine(slot), { role: 'none', memberId: null, founder: false });
    if (machine(slot).state !== 'live') return 'ok';
    // With a frozen peer real etcd hangs in its own shutdown: it serves nobody any more, and is ended here.
    const hangs = standing().frozen.length > 0;
    if (!(await eventually(ended, hangs ? 3_000 : END_MS))) {
      if (!hangs) return 'it was removed and runs on';
      await subject.end(slot, 'SIGKILL');
      machine(slot).state = 'down';
      disturb();
      return 'removed';
    }
    return await fate(slot);
  };

  return {
    standing,
    async found() {
      const { voters } = standing();
      for (const slot of voters) await start(slot, founding());
      for (const slot of voters) await fate(slot);
      return await look();
    },
    async perform(operation) {
      const before = disturbedAt();
      const said = await act(operation);
      const settled = await look();
      // Connections are made while it settles.
      if (disturbedAt() !== before) disturb();
      return `${said} | ${settled}`;
    },
  };
}

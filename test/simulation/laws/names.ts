import { hostName, hostOfService, namesOf } from '../../../src/core/names.ts';
import { allMarks } from '../../../src/core/mark.ts';
import type { RecordSet } from '../../../src/core/records.ts';
import { CLUSTER, FOREIGN } from '../world/names.ts';
import type { LawCheck } from './law.ts';

const NAMES = namesOf(CLUSTER);

/** The records that clients and servers are found by. */
const FINDING: ReadonlySet<string> = new Set([
  `${NAMES.cluster} A`,
  `${NAMES.server} A`,
  `${NAMES.srvServer} SRV`,
  ...NAMES.srvClient.map((it) => `${it} SRV`),
]);

/**
 * An instance that is gone is named no longer than this, once nothing is wrong any more; ms. Where the database is large, one
 * step to another etcd comes to it: a change of names waits for one, and not for all that follow it.
 */
const NAMED_AFTER_END_MS = 5 * 60_000;

/**
 * Who serves is not unnamed longer than this; ms. Whoever said that it leaves, and came back, is believed for the lease of
 * that word (60 s), which a new leader begins anew; then come two looks, and a pause after what Route 53 refused last. A step
 * comes to it, too.
 */
const UNNAMED_MS = 160_000;

const keyOf = (it: RecordSet): string => `${it.name} ${it.type}`;

/** Law 9: a set that clients or servers are found by, once there, stays, and has a value, unless a person deletes it. */
export const neverEmptied: LawCheck = {
  law: 9,
  check: 'never-emptied',
  watch: (report) => {
    const standing = new Set<string>();
    return (it) => {
      if (it.kind === 'released') standing.clear();
      if (it.kind !== 'records') return;
      const there = new Set(it.after.filter((one) => one.values.length > 0).map(keyOf));
      for (const one of standing) if (!there.has(one)) report(`${one} was emptied`);
      for (const one of there) if (FINDING.has(one)) standing.add(one);
    };
  },
};

/**
 * Law 9: who is named for servers or clients, and does not go, keeps the address that the name leads to. The last values of a
 * set that would be empty name nobody who could be reached.
 */
export const namesResolve: LawCheck = {
  law: 9,
  check: 'names-resolve',
  watch: (report) => {
    const goes = new Set<string>();
    let hosts: ReadonlySet<string> = new Set();
    return (it) => {
      if (it.kind === 'told' && it.to === 'go') goes.add(hostName(CLUSTER, it.id));
      if (it.kind === 'ec2' && it.word !== 'running' && it.word !== 'pending')
        goes.add(hostName(CLUSTER, it.id));
      if (it.kind === 'released') hosts = new Set();
      if (it.kind !== 'records') return;
      const now = new Set(it.after.filter((one) => one.type === 'A').map((one) => one.name));
      for (const target of namesIn(it.after))
        if (hosts.has(target) && !now.has(target) && !goes.has(target))
          report(`${target} is named, and its address is gone`);
      hosts = now;
    };
  },
};

/** A leaver that is still named after this goes all the same; less what a clock may be fast; ms. */
const UNNAMED_FIRST_MS = 5_500;

/** Between two looks of who keeps house at Route 53, where nothing gives it a reason, and the word that it publishes of them; ms. */
const READ_MS = 75_000;

/** Law 9: who leaves in order leaves the names of clients before it leaves the members, as far as what is read says who is named. */
export const leavesNamesFirst: LawCheck = {
  law: 9,
  check: 'leaves-names-first',
  watch: (report) => {
    const told = new Map<string, number>();
    /** Host names of those who were told to go. */
    const hosts = new Set<string>();
    let named: ReadonlySet<string> = new Set();
    let oldUntil = Number.NEGATIVE_INFINITY;
    return (it, atMs) => {
      if (it.kind === 'lists-old') oldUntil = Math.max(oldUntil, atMs + it.lastsMs + READ_MS);
      if (it.kind === 'told' && it.to === 'go') hosts.add(hostName(CLUSTER, it.id));
      if (it.kind === 'told' && it.to === 'go' && !told.has(it.id)) told.set(it.id, atMs);
      if (it.kind === 'records') named = clientsIn(it.after);
      if (it.kind !== 'membership' || it.change !== 'remove' || it.by !== it.member.name) return;
      const since = told.get(it.by);
      if (atMs < oldUntil) return;
      // Who lost its data does not leave; and a set is not emptied for those who leave together.
      if (it.outOfSpace === true || !it.hasData || [...named].every((one) => hosts.has(one))) return;
      if (it.member.learner || since === undefined || atMs - since >= UNNAMED_FIRST_MS) return;
      if (named.has(hostName(CLUSTER, it.by))) report(`${it.by} leaves, and clients are still sent to it`);
    };
  },
};

/** Section 4: a mark goes with its instance, or gives way to that instance's next one. */
export const marksKept: LawCheck = {
  law: 4,
  check: 'marks-kept',
  watch: (report) => {
    const gone = new Set<string>();
    let marks: ReadonlySet<string> = new Set();
    return (it) => {
      if (it.kind === 'ec2' && (it.word === 'shutting-down' || it.word === 'terminated')) gone.add(it.id);
      if (it.kind === 'released') marks = new Set();
      if (it.kind !== 'records') return;
      const now = new Set(allMarks(CLUSTER, it.after).map((one) => one.instanceId));
      for (const one of marks)
        if (!now.has(one) && !gone.has(one)) report(`the mark of ${one}, which EC2 still has, is gone`);
      marks = now;
    };
  },
};

/** Law 9: records of other people stay as they are. */
export const foreignUntouched: LawCheck = {
  law: 9,
  check: 'foreign-untouched',
  watch: (report) => (it) => {
    if (it.kind !== 'records') return;
    for (const foreign of FOREIGN) {
      const now = it.after.find((one) => keyOf(one) === keyOf(foreign));
      if (now?.values.join() !== foreign.values.join() || now.ttl !== foreign.ttl)
        report(`${foreign.name}, which is not ours, was changed`);
    }
  },
};

/** Law 9: what is provably gone is not named for longer than a bound, once faults are over. */
export const goneUnnamed: LawCheck = {
  law: 9,
  check: 'gone-unnamed',
  watch: (report) => {
    const goneAt = new Map<string, number>();
    let calmAt: number | null = null;
    let named: ReadonlySet<string> = new Set();
    let said = false;
    let stepMs = 0;
    return (it, atMs) => {
      if (it.kind === 'large') stepMs = it.stepMs;
      if (
        it.kind === 'ec2' &&
        (it.word === 'terminated' || it.word === 'shutting-down') &&
        !goneAt.has(it.id)
      )
        goneAt.set(it.id, atMs);
      if (it.kind === 'fault') calmAt = null;
      if (it.kind === 'calm') calmAt = atMs;
      if (it.kind === 'records') named = namesIn(it.after);
      if (it.kind !== 'time' || calmAt === null || said) return;
      for (const [id, at] of goneAt) {
        const sinceMs = atMs - Math.max(at, calmAt);
        if (sinceMs < NAMED_AFTER_END_MS + stepMs || !named.has(hostName(CLUSTER, id))) continue;
        said = true;
        report(`${id} is gone, and named for ${Math.round(sinceMs / 1_000)} s`);
      }
    };
  },
};

function namesIn(records: readonly RecordSet[]): ReadonlySet<string> {
  const srv = [NAMES.srvServer, ...NAMES.srvClient];
  const targets = records
    .filter((it) => srv.includes(it.name))
    .flatMap((it) => it.values.map((value) => hostOfService(value) ?? ''));
  return new Set(targets);
}

/** Law 9: who serves, and is meant to, is named, once faults are over. */
export const healthyNamed: LawCheck = {
  law: 9,
  check: 'healthy-named',
  watch: (report) => {
    const since = new Map<string, number>();
    let calmAt: number | null = null;
    let named: ReadonlySet<string> = new Set();
    let said = false;
    let stepMs = 0;
    return (it, atMs) => {
      if (it.kind === 'large') stepMs = it.stepMs;
      if (it.kind === 'fault') calmAt = null;
      if (it.kind === 'calm') calmAt = atMs;
      if (it.kind === 'records') named = clientsIn(it.after);
      if (it.kind !== 'serving') return;
      for (const id of since.keys()) if (!it.ids.includes(id)) since.delete(id);
      for (const id of it.ids) {
        if (named.has(hostName(CLUSTER, id))) since.delete(id);
        else if (!since.has(id)) since.set(id, atMs);
      }
      if (calmAt === null || said) return;
      for (const [id, at] of since) {
        const sinceMs = atMs - Math.max(at, calmAt);
        if (sinceMs < UNNAMED_MS + stepMs) continue;
        said = true;
        report(`${id} serves, and is not named for ${Math.round(sinceMs / 1_000)} s`);
      }
    };
  },
};

function clientsIn(records: readonly RecordSet[]): ReadonlySet<string> {
  const clients = records.filter((it) => it.name === NAMES.srvClient[0]);
  return new Set(clients.flatMap((it) => it.values.map((value) => hostOfService(value) ?? '')));
}

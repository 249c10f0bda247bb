import type { EtcdExit } from '../src/core/local-data.ts';
import { createAdmin, type EtcdAdmin } from '../src/etcd/admin.ts';
import { clientUrl, peerUrl } from '../src/etcd/flags.ts';
import type { LogLine } from '../src/etcd/log-lines.ts';
import { parseLogLine } from '../src/etcd/log-lines.ts';
import type { EtcdProcessDeps } from '../src/etcd/process.ts';
import { createEtcdProcesses, type EtcdProcesses, type RunningEtcd } from '../src/etcd/process.ts';
import { ETCD_DIRECTORY, etcdBinary, eventually, ownAddress, temporaryDirectory } from './tools.ts';

/** A signal that never aborts. */
export const calm = new AbortController().signal;

/** Keeps what the adapter says, and what etcd writes, line by line as an operator would read it. */
export function keptLog(): {
  readonly lines: LogLine[];
  readonly deps: EtcdProcessDeps;
} {
  const lines: LogLine[] = [];
  const keep = (level: LogLine['level']) => (fields: object, message: string) =>
    void lines.push({ level, message, error: '', fields: { ...fields }, plain: false });
  const log = { debug: keep('debug'), info: keep('info'), warn: keep('warn'), error: keep('error') };
  return { lines, deps: { log, onLine: (line) => void lines.push(parseLogLine(line)) } };
}

/** A value that must be known. */
export function must<T>(
  fact: { readonly known: true; readonly value: T } | { readonly known: false; readonly reason: string },
): T {
  if (!fact.known) throw new Error(fact.reason);
  return fact.value;
}

/** An etcd of its own: a place on disk, an address, and the adapter that runs it. Killed and removed with the scope. */
export interface LabMember extends AsyncDisposable {
  readonly name: string;
  readonly address: string;
  readonly directory: string;
  readonly endpoint: string;
  readonly peerUrl: string;
  readonly processes: EtcdProcesses;
  readonly log: ReturnType<typeof keptLog>;
  readonly version: string;
  /** Starts it as one of `founders`, or on its data where none are given. */
  start(founding?: { readonly founders: readonly LabMember[]; readonly token: string }): Promise<RunningEtcd>;
  /** Starts it as a new member of the cluster whose members these are. */
  join(cluster: readonly { readonly name: string; readonly peerUrl: string }[]): Promise<RunningEtcd>;
  /** Starts another version on its data: a minor, or a version. */
  startAs(wanted: string, snapshotCount?: number): Promise<RunningEtcd>;
}

/** Makes a member that is not started. */
export async function labMember(
  wanted: string,
  name = 'n1',
  extraFlags: readonly string[] = [],
): Promise<LabMember> {
  const { version } = await etcdBinary(wanted);
  const place = await temporaryDirectory();
  const address = ownAddress();
  const log = keptLog();
  const processes = createEtcdProcesses(
    {
      etcdDirectory: ETCD_DIRECTORY,
      dataDirectory: place.path,
      extraFlags,
      env: process.env,
    },
    log.deps,
  );
  // Those that are being started, too: where another member's start fails, all end meanwhile.
  const starts: ReturnType<EtcdProcesses['start']>[] = [];
  const run = async (start: Parameters<EtcdProcesses['start']>[0]): Promise<RunningEtcd> => {
    const started = processes.start(start, calm);
    starts.push(started);
    return must(await started);
  };
  const begin = async (initial: Parameters<EtcdProcesses['start']>[0]['initial']): Promise<RunningEtcd> =>
    await run({ version, name, address, initial });
  return {
    name,
    address,
    directory: place.path,
    endpoint: clientUrl(address),
    peerUrl: peerUrl(address),
    processes,
    log,
    version,
    start: async (founding) =>
      begin(
        founding === undefined
          ? null
          : {
              state: 'new',
              token: founding.token,
              cluster: founding.founders.map((member) => ({ name: member.name, peerUrl: member.peerUrl })),
            },
      ),
    join: async (cluster) => begin({ state: 'existing', token: 'irrelevant', cluster }),
    startAs: async (minor, snapshotCount) =>
      await run({
        version: (await etcdBinary(minor)).version,
        name,
        address,
        initial: null,
        snapshotCount: snapshotCount ?? null,
      }),
    async [Symbol.asyncDispose]() {
      const started = await Promise.allSettled(starts);
      const running = started.flatMap((it) =>
        it.status === 'fulfilled' && it.value.known ? [it.value.value] : [],
      );
      await Promise.all(running.map(async (it) => await it.stop(0)));
      await place[Symbol.asyncDispose]();
    },
  };
}

/** Waits until a member answers a linearizable member list. */
export async function untilServing(admin: EtcdAdmin, member: LabMember): Promise<void> {
  await eventually(async () => (await admin.memberList(member.endpoint, { linearizable: true }, calm)).known);
}

/** Makes and starts a cluster, serving. Dispose the stack to end it. */
export async function labCluster(
  wanted: string,
  size: number,
  stack: AsyncDisposableStack,
): Promise<{
  readonly admin: EtcdAdmin;
  readonly members: readonly LabMember[];
  readonly running: RunningEtcd[];
}> {
  const admin = stack.use(createAdmin());
  const members: LabMember[] = [];
  for (let count = 1; count <= size; count += 1)
    members.push(stack.use(await labMember(wanted, `n${count}`)));
  const token = `token-${process.pid}-${Math.random()}`;
  const running = await Promise.all(
    members.map(async (member) => member.start({ founders: members, token })),
  );
  await Promise.all(members.map(async (member) => untilServing(admin, member)));
  return { admin, members, running };
}

/** A cluster of one that is out of space, and says so by an alarm. Dispose the stack to end it. */
export async function fullCluster(
  wanted: string,
  stack: AsyncDisposableStack,
): Promise<{ readonly admin: EtcdAdmin; readonly member: LabMember }> {
  const admin = stack.use(createAdmin());
  const member = stack.use(await labMember(wanted, 'n1', ['--quota-backend-bytes=50000']));
  await member.start({ founders: [member], token: 't' });
  await untilServing(admin, member);
  const large = 'x'.repeat(30_000);
  await eventually(async () => !(await admin.put(member.endpoint, 'large', large, {}, calm)).known);
  return { admin, member };
}

/** The end of a process, or an error where it does not come in time. */
export async function endOf(running: RunningEtcd, limitMs = 15_000): Promise<EtcdExit> {
  let exit: EtcdExit | null = null;
  void running.exited.then((value) => (exit = value));
  await eventually(() => exit !== null, limitMs);
  return running.exited;
}

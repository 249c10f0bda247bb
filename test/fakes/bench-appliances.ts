import { createFace } from '../../src/app-face.ts';
import { keepSayingHowItStands } from '../../src/app-standing.ts';
import type { Appliance } from '../../src/daemon/appliance.ts';
import { createAppliance } from '../../src/daemon/appliance.ts';
import type { Ports } from '../../src/daemon/ports.ts';
import type { Face } from '../../src/http/face.ts';
import { createMetrics } from '../../src/http/metrics.ts';
import type { Bench, Host } from './bench.ts';
import { NAME, NEVER } from './bench.ts';
import { claimFormed, voterIdentity } from './bench-voter.ts';
import type { EtcdCluster } from './etcd/cluster.ts';
import { createLife } from './mortal.ts';

/** An appliance that runs as a whole beside its etcd, and what it shows. */
export interface RunningAppliance {
  readonly host: Host;
  readonly appliance: Appliance;
  readonly face: Face;
  /** The machine is gone: the appliance, and its etcd. */
  kill(): void;
}

/** A line of a log, as alarms have it, and when it was written; ms. */
export interface LoggedLine {
  readonly at: number;
  readonly by: string;
  readonly line: string;
}

/** The cluster that a bench founds, each member with its appliance. */
export interface RunningCluster {
  readonly cluster: EtcdCluster;
  readonly all: readonly RunningAppliance[];
  /** That of this index. */
  of(index: number): RunningAppliance;
  readonly lines: readonly LoggedLine[];
  /** Ends all loops. */
  stop(): void;
}

/** Founds a cluster on all hosts of a bench, runs an appliance beside each member, and waits until somebody keeps house. */
export async function runAppliances(bench: Bench): Promise<RunningCluster> {
  const cluster = await bench.form();
  await claimFormed(bench, cluster);
  const lines: LoggedLine[] = [];
  const stop = new AbortController();
  const all: RunningAppliance[] = [];
  for (const host of bench.hosts) all.push(await runOne(bench, host, cluster, lines, stop.signal));
  const kept = await bench.clock.until(() => all.some((it) => it.appliance.state.keepsHouse), 60_000);
  if (!kept) throw new Error('nobody keeps house');
  return {
    cluster,
    all,
    lines,
    of(index) {
      const found = all[index];
      if (found === undefined) throw new Error(`no appliance ${index}`);
      return found;
    },
    stop: () => stop.abort(new Error('the test is over')),
  };
}

async function runOne(
  bench: Bench,
  host: Host,
  cluster: EtcdCluster,
  lines: LoggedLine[],
  stop: AbortSignal,
): Promise<RunningAppliance> {
  const { self, context } = host;
  const member = cluster.members.find((it) => it.name === self.id);
  const ids = { clusterId: cluster.id, memberId: member?.id ?? null };
  await host.ports.data.writeIdentity(voterIdentity(host, ids), NEVER);
  const life = createLife(bench.clock);
  const write = (fields: object, msg: string): void => {
    const line = JSON.stringify({ ...fields, msg });
    if (life.alive()) lines.push({ at: bench.clock.now(), by: self.id, line });
  };
  const metrics = createMetrics({ version: '0' });
  const log = { debug: write, info: write, warn: write, error: write };
  const ports: Ports = life.ports({ ...host.ports, meter: metrics, log });
  const appliance = createAppliance(context.options, ports);
  // Its loops end with the abort; what else could end them is in what the test looks at.
  void appliance.run(stop).catch(() => undefined);
  void keepSayingHowItStands(appliance.state, ports, stop).catch(() => undefined);
  return {
    host,
    appliance,
    face: createFace({ appliance, metrics, version: '0', cluster: NAME }),
    kill() {
      life.kill();
      bench.etcd.kill(self.address);
    },
  };
}

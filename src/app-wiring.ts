import { randomBytes } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { schedule } from 'node-cron';
import type { AwsClients } from './aws/clients.ts';
import { createFirewall } from './aws/firewall.ts';
import { createFleet } from './aws/fleet.ts';
import { createHooks } from './aws/hooks.ts';
import { createZone } from './aws/zone.ts';
import type { AppDeps } from './app.ts';
import type { Arrival } from './app-arrival.ts';
import { createFace } from './app-face.ts';
import { openOwnReach } from './app-own-address.ts';
import { advertiseOf } from './app-place.ts';
import type { Residence } from './app-place.ts';
import { keepSayingHowItStands } from './app-standing.ts';
import type { Config } from './config.ts';
import { regionsWith } from './core/fleet.ts';
import { clusterLabel } from './core/names.ts';
import { CLIENT_PORT, FAR_CALL_MS, PEER_PORT } from './core/numbers.ts';
import type { PortRange } from './core/plan-firewall.ts';
import { createAppliance } from './daemon/appliance.ts';
import type { PlanReport } from './daemon/explain.ts';
import { explain } from './daemon/explain.ts';
import type { DaemonOptions } from './daemon/options.ts';
import type { Clock, Ports } from './daemon/ports.ts';
import { createDataDirectory } from './etcd/data-directory.ts';
import { etcdIds } from './etcd/ids.ts';
import type { EtcdProcesses } from './etcd/process.ts';
import { createInspection } from './etcd/inspect.ts';
import { createEtcdProcesses } from './etcd/process.ts';
import type { ExitCode } from './errors.ts';
import { EXIT } from './errors.ts';
import type { Metrics } from './http/metrics.ts';
import { createMetrics } from './http/metrics.ts';
import { createPeers } from './http/peers.ts';
import { startFaceServer } from './http/server.ts';

/** Once a minute the housekeeper is woken besides its own rhythm; the jitter keeps several clusters apart. */
const NUDGE = '0 * * * * *';
const NUDGE_JITTER_MS = 10_000;

const clock: Clock = {
  now: () => performance.now(),
  wallTime: () => new Date().toISOString(),
  sleep: async (ms, signal) => await setTimeout(ms, undefined, { signal }),
};

/** Runs the appliance that arrives, until `stop` is aborted, or its instance goes, and it has left in order. */
export async function runHere(
  config: Config,
  deps: AppDeps,
  arrival: Arrival,
  stop: AbortSignal,
): Promise<ExitCode> {
  await using cleanup = new AsyncDisposableStack();
  const log = deps.log.component('app');
  const metrics = createMetrics({ version: deps.version });
  const parts = { metrics, arrival, finishMoves: true };
  const world = await openWorld(config, deps, parts, cleanup, stop);
  const appliance = createAppliance(world.options, world.ports);
  const face = createFace({ appliance, metrics, version: deps.version, cluster: world.options.cluster });
  const server = await startFaceServer({ address: world.bind, port: config.statusPort }, { face, log });
  cleanup.defer(async () => await server.close());
  log.info({ ...world.ports.self, cluster: world.options.cluster }, 'runs');
  const running = appliance.run(stop);
  // After the first questions are on their way: what it reads of calendars and time zones takes a while.
  const cron = schedule(NUDGE, () => appliance.nudge(), { noOverlap: true, maxRandomDelay: NUDGE_JITTER_MS });
  cleanup.defer(async () => await cron.destroy());
  const over = new AbortController();
  cleanup.defer(() => over.abort());
  // It ends with an abort alone.
  void keepSayingHowItStands(appliance.state, { clock, log }, over.signal).catch(() => undefined);
  await running;
  log.info({}, 'has left in order');
  return EXIT.done;
}

/** Observes once and plans for the appliance that arrives, without acting. */
export async function planHere(
  config: Config,
  deps: AppDeps,
  arrival: Arrival,
  signal: AbortSignal,
): Promise<PlanReport> {
  await using cleanup = new AsyncDisposableStack();
  const metrics = createMetrics({ version: deps.version });
  const parts = { metrics, arrival, finishMoves: false };
  const world = await openWorld(config, deps, parts, cleanup, signal);
  return await explain(createAppliance(world.options, world.ports).context, signal);
}

interface World {
  readonly options: DaemonOptions;
  readonly ports: Ports;
  /** Where etcd and face listen. */
  readonly bind: string;
}

interface WorldParts {
  readonly metrics: Metrics;
  readonly arrival: Arrival;
  /** False for who only looks: a running appliance may be at it. */
  readonly finishMoves: boolean;
}

/** All that the appliance has of the world: the adapters, made for this instance. */
async function openWorld(
  config: Config,
  deps: AppDeps,
  { metrics, arrival, finishMoves }: WorldParts,
  cleanup: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<World> {
  arrival.countBy({
    onCall: (call) => metrics.awsCalled(call.service, call.action, call.result, call.durationMs / 1000),
  });
  const processes = openEtcd(config, deps);
  // Asked ahead: the answer is needed once AWS has said where this is. Who needs it asks again, and hears of an error.
  void processes.binaries(signal).catch(() => undefined);
  const { metadata, clients, residence } = await arrival.arrived;
  const cluster = `${clusterLabel(residence.self.stack)}.${residence.zone.name}`;
  const { self, listen } = residence;
  const peers = createPeers({ port: config.statusPort });
  const regional = regionalOptions(config, self.region);
  const bind = config.listenAddress ?? listen;
  const own = { address: self.address, listen, bind, ...(regional.far && { callMs: FAR_CALL_MS }) };
  const reach = openOwnReach(own, { process: processes, peers });
  cleanup.use(reach.admin);
  const aws = openAws(config, clients, residence, cluster);
  const ports: Ports = {
    clock,
    random: { fraction: Math.random, token: () => randomBytes(16).toString('hex') },
    log: deps.log.component('daemon'),
    meter: metrics,
    self,
    metadata,
    ...aws,
    ...reach,
    data: createDataDirectory({
      directory: config.dataDir,
      wallTime: clock.wallTime,
      finish: finishMoves,
    }),
    inspect: createInspection(
      { etcdDirectory: config.etcdDir, dataDirectory: config.dataDir },
      { log: deps.log.component('process') },
    ),
    ids: etcdIds,
  };
  const options: DaemonOptions = {
    cluster,
    bootstrapWaitMs: config.bootstrapWaitMs,
    housekeepingIntervalMs: config.housekeepingIntervalMs,
    etcdVersion: config.etcdVersion,
    ...regional,
  };
  return { options, ports, bind };
}

/** Rules are needed where instances come from outside each other's security group: of another region, or by public addresses. */
function regionalOptions(config: Config, ownRegion: string): Pick<DaemonOptions, 'far' | 'firewall'> {
  const regions = regionsWith(ownRegion, config.activeRegions);
  const far = regions.length > 1;
  const withOwnRegion = advertiseOf(config, ownRegion) === 'public';
  if (!far && !withOwnRegion) return { far };
  return { far, firewall: { regions, ports: memberPorts(config.statusPort), withOwnRegion } };
}

/** One range where the appliance's port is next to etcd's, as it is by default. */
function memberPorts(statusPort: number): readonly PortRange[] {
  return statusPort === CLIENT_PORT - 1
    ? [{ from: statusPort, to: PEER_PORT }]
    : [
        { from: CLIENT_PORT, to: PEER_PORT },
        { from: statusPort, to: statusPort },
      ];
}

function openEtcd(config: Config, deps: AppDeps): EtcdProcesses {
  return createEtcdProcesses(
    {
      etcdDirectory: config.etcdDir,
      dataDirectory: config.dataDir,
      extraFlags: config.etcdExtraFlags,
      env: deps.env,
    },
    { log: deps.log.component('process'), onLine: deps.log.etcdLine },
  );
}

function openAws(
  config: Config,
  clients: AwsClients,
  residence: Residence,
  cluster: string,
): Pick<Ports, 'fleet' | 'firewall' | 'hooks' | 'zone'> {
  const { self, group, zone } = residence;
  return {
    fleet: createFleet(
      {
        self,
        group,
        activeRegions: config.activeRegions,
        advertise: advertiseOf(config, self.region),
      },
      { clients, now: clock.now },
    ),
    firewall: createFirewall(self.stack, clients),
    hooks: createHooks(
      { instanceId: self.id, group },
      { autoScaling: clients.autoScaling(self.region), now: clock.now },
    ),
    zone: createZone(
      { zone, name: cluster },
      { calls: clients.route53(), fraction: Math.random, sleep: (ms, cut) => clock.sleep(ms, cut) },
    ),
  };
}

import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** The state that the gauges show, set as a whole so that no series outlives what it told of. */
export interface StateSample {
  readonly ready: boolean;
  /** Whether the own etcd leads. */
  readonly leader: boolean;
  /** The claim's state; null: unknown. */
  readonly claim: 'none' | 'forming' | 'formed' | 'reseeding' | null;
  /** Health by instance id, of every member listed. */
  readonly members: ReadonlyMap<string, boolean>;
  /** Of the own etcd; null: it does not answer. */
  readonly etcdVersion: string | null;
  /** Null: nothing is to be upgraded. `moves`: it goes on by itself; else it waits, or stands still, for what the code says. */
  readonly upgrade: { readonly code: string; readonly moves: boolean } | null;
}

/** Everything that is counted. The daemon's Meter, what `aws/` counts, and the page itself. */
export interface Metrics {
  /** A sentence of a plan was reached, by its code. */
  planned(code: string): void;
  acted(kind: string, result: string): void;
  /** etcd was started again after it had ended by itself. */
  restarted(): void;
  evicted(): void;
  dnsWritten(result: string): void;
  ticked(loop: string, seconds: number): void;
  /** One call of AWS came back, with all its tries. */
  awsCalled(service: string, action: string, result: string, seconds: number): void;
  sampled(state: StateSample): void;
  /** The page in Prometheus' text format. */
  page(): Promise<{ readonly contentType: string; readonly text: string }>;
}

const CLAIM_STATES = ['none', 'forming', 'formed', 'reseeding'] as const;
const CALL_BUCKETS_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15];

/** Creates a registry of its own with every metric of the appliance, and those of its process. */
export function createMetrics(options: { readonly version: string }): Metrics {
  const registry = new Registry();
  const registers = [registry];
  // The event loop is woken for each sample of its lag: a hundred times a second by default, an eighth of all idle time.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 200 });
  const define = defineIn(registers);
  define
    .gauge('build_info', 'Always 1; its label is the version.', ['version'])
    .set({ version: options.version }, 1);
  const counters = {
    planned: define.counter('plan_reasons_total', 'Sentences of plans, by code.', ['code']),
    acted: define.counter('actions_total', 'Actions carried out, by kind and result.', ['kind', 'result']),
    restarted: define.counter('etcd_restarts_total', 'Restarts of etcd after it ended by itself.', []),
    evicted: define.counter('evictions_total', 'Members of dead instances removed by this appliance.', []),
    dnsWritten: define.counter('dns_writes_total', 'Change batches sent to Route 53, by result.', ['result']),
  };
  const ticks = define.histogram('tick_duration_seconds', 'Time of one observe, plan, act.', ['loop']);
  const calls = define.histogram('aws_call_duration_seconds', 'Time of AWS calls with all their tries.', [
    'service',
    'action',
    'result',
  ]);
  const sampled = defineState(define);
  return {
    planned: (code) => counters.planned.inc({ code }),
    acted: (kind, result) => counters.acted.inc({ kind, result }),
    restarted: () => counters.restarted.inc(),
    evicted: () => counters.evicted.inc(),
    dnsWritten: (result) => counters.dnsWritten.inc({ result }),
    ticked: (loop, seconds) => ticks.observe({ loop }, seconds),
    awsCalled: (service, action, result, seconds) => calls.observe({ service, action, result }, seconds),
    sampled,
    page: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  };
}

type Define = ReturnType<typeof defineIn>;

function defineIn(registers: Registry[]) {
  const full = (name: string) => `etcd_appliance_${name}`;
  return {
    gauge: <L extends string>(name: string, help: string, labelNames: L[]) =>
      new Gauge({ name: full(name), help, labelNames, registers }),
    counter: <L extends string>(name: string, help: string, labelNames: L[]) =>
      new Counter({ name: full(name), help, labelNames, registers }),
    histogram: <L extends string>(name: string, help: string, labelNames: L[]) =>
      new Histogram({ name: full(name), help, labelNames, registers, buckets: CALL_BUCKETS_SECONDS }),
  };
}

function defineState(define: Define): (state: StateSample) => void {
  const ready = define.gauge('ready', 'Whether this member serves clients.', []);
  const leader = define.gauge('leader', 'Whether the own etcd leads.', []);
  const claim = define.gauge('claim_state', '1 for the state of the claim; all 0: unknown.', ['state']);
  const member = define.gauge('member_healthy', 'Health of each listed member.', ['instance']);
  const version = define.gauge('etcd_version_info', 'Always 1; its label is the version of the own etcd.', [
    'version',
  ]);
  const upgrade = define.gauge(
    'upgrade_state',
    '0: nothing to upgrade; 1: under way; 2: waits, or stands still. Its label is the code of the plan.',
    ['code'],
  );
  return (state) => {
    ready.set(Number(state.ready));
    leader.set(Number(state.leader));
    for (const name of CLAIM_STATES) claim.set({ state: name }, Number(state.claim === name));
    member.reset();
    for (const [instance, healthy] of state.members) member.set({ instance }, Number(healthy));
    version.reset();
    if (state.etcdVersion !== null) version.set({ version: state.etcdVersion }, 1);
    upgrade.reset();
    upgrade.set({ code: state.upgrade?.code ?? 'none' }, upgradeNumber(state.upgrade));
  };
}

function upgradeNumber(upgrade: StateSample['upgrade']): number {
  if (upgrade === null) return 0;
  return upgrade.moves ? 1 : 2;
}

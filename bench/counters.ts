/** What an appliance says of itself on /metrics. */
export interface Counters {
  readonly memoryBytes: number;
  readonly cpuSeconds: number;
  /** Calls of AWS by service, with all results. */
  readonly calls: ReadonlyMap<string, number>;
}

const CALLS = 'etcd_appliance_aws_call_duration_seconds_count';

/** Asks an appliance for its counters. Throws where it does not answer. */
export async function readCounters(address: string, signal: AbortSignal): Promise<Counters> {
  const response = await fetch(`http://${address}:2378/metrics`, { signal });
  const lines = (await response.text()).split('\n');
  const calls = new Map<string, number>();
  for (const line of lines.filter((it) => it.startsWith(CALLS))) {
    const service = /service="([^"]+)"/.exec(line)?.[1] ?? 'unknown';
    calls.set(service, (calls.get(service) ?? 0) + valueOf(line));
  }
  const single = (name: string): number => valueOf(lines.find((it) => it.startsWith(`${name} `)) ?? '');
  return {
    memoryBytes: single('process_resident_memory_bytes'),
    cpuSeconds: single('process_cpu_seconds_total'),
    calls,
  };
}

function valueOf(line: string): number {
  return Number(line.slice(line.lastIndexOf(' ') + 1));
}

/** Calls of one service that these appliances made in all. */
export function callsOf(all: readonly Counters[], service: string): number {
  return all.reduce((sum, { calls }) => sum + (calls.get(service) ?? 0), 0);
}

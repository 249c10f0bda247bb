import { CloudError } from './cloud-error.ts';
import type { EventLog, Fault, FaultKind, FaultRequest, Faults, Service } from './model.ts';

/** A call as the faults see it. */
export interface FaultyCall {
  readonly service: Service;
  readonly action: string;
  /** Id of the asking instance; null for an operator. */
  readonly asking: string | null;
  /** Region of the asking instance; null for an operator. */
  readonly askingFrom: string | null;
  /** The region that is asked; null for Route 53, which has none. */
  readonly region: string | null;
  /** True for a call that changes something: faults that show less or old touch only the others. */
  readonly changes: boolean;
}

export interface FaultSource extends Faults {
  /** The fault that hits this call, if one does; counts the hit, and lifts the fault when its count is used up. */
  readonly hit: (call: FaultyCall) => Fault | null;
}

const KINDS: Readonly<Record<FaultKind, true>> = {
  throttle: true,
  error: true,
  hang: true,
  reset: true,
  refuse: true,
  'lost-answer': true,
  malformed: true,
  empty: true,
  half: true,
  stale: true,
  'self-only': true,
};
const SERVICES: Readonly<Record<Service | '*', true>> = {
  ec2: true,
  autoscaling: true,
  route53: true,
  imds: true,
  '*': true,
};

function check(fault: FaultRequest, regions: readonly string[]): void {
  const bad = (message: string): CloudError => new CloudError('InvalidFault', message);
  if (!Object.hasOwn(KINDS, fault.kind)) {
    throw bad(`unknown fault kind ${fault.kind}: use one of ${Object.keys(KINDS).join(', ')}`);
  }
  if (!Object.hasOwn(SERVICES, fault.service)) {
    throw bad(`unknown service ${fault.service}: use one of ${Object.keys(SERVICES).join(', ')}`);
  }
  for (const field of ['action', 'instance'] as const) {
    if (typeof fault[field] !== 'string') throw bad(`a fault needs ${field}: a name, or * for all`);
  }
  for (const region of [fault.region, fault.fromRegion]) {
    if (region !== undefined && !regions.includes(region))
      throw bad(`no region ${region}: know ${regions.join(', ')}`);
  }
  if (fault.code !== undefined && typeof fault.code !== 'string')
    throw bad('code must be the code of an error');
  if (fault.staleMs !== undefined && !Number.isFinite(fault.staleMs)) throw bad('staleMs must be a number');
  if (fault.rate !== undefined && !(Number.isFinite(fault.rate) && fault.rate > 0 && fault.rate <= 1)) {
    throw bad(`fault rate ${String(fault.rate)} is not above 0 and at most 1`);
  }
  if (fault.count !== undefined && !(Number.isInteger(fault.count) && fault.count > 0)) {
    throw bad(`fault count ${String(fault.count)} is not a whole number above 0`);
  }
  if (fault.kind === 'stale' && !(fault.staleMs !== undefined && fault.staleMs > 0)) {
    throw bad('a fault of kind stale needs staleMs above 0');
  }
}

const SHOWING: readonly FaultKind[] = ['empty', 'half', 'stale', 'self-only'];

function concerns(fault: FaultRequest, call: FaultyCall): boolean {
  return (
    !(call.changes && SHOWING.includes(fault.kind)) &&
    (fault.service === '*' || fault.service === call.service) &&
    (fault.action === '*' || fault.action === call.action) &&
    (fault.instance === '*' || fault.instance === call.asking) &&
    (fault.region === undefined || fault.region === call.region) &&
    (fault.fromRegion === undefined || fault.fromRegion === call.askingFrom)
  );
}

/** The faults that are active now; the oldest that concerns a call hits it. `random` decides where a rate is given. */
export function createFaults(deps: {
  readonly events: EventLog;
  readonly random: () => number;
  /** Names of those that there are. */
  readonly regions: readonly string[];
}): FaultSource {
  const { events, random } = deps;
  const active = new Map<string, Fault>();
  let made = 0;

  const lift = (id: string): boolean => {
    const known = active.delete(id);
    if (known) events.emit('fault-lifted', { id });
    return known;
  };

  return {
    add(request) {
      check(request, deps.regions);
      made += 1;
      const fault: Fault = { ...request, id: `fault-${String(made)}`, hits: 0 };
      active.set(fault.id, fault);
      events.emit('fault-added', { ...fault });
      return fault;
    },
    lift,
    liftAll() {
      for (const id of active.keys()) lift(id);
    },
    list: () => [...active.values()],
    hit(call) {
      for (const fault of active.values()) {
        if (!concerns(fault, call) || (fault.rate !== undefined && random() >= fault.rate)) continue;
        const counted: Fault = { ...fault, hits: fault.hits + 1 };
        active.set(fault.id, counted);
        events.emit('fault-hit', {
          id: fault.id,
          kind: fault.kind,
          service: call.service,
          action: call.action,
          asking: call.asking,
        });
        if (counted.count !== undefined && counted.hits >= counted.count) lift(fault.id);
        return counted;
      }
      return null;
    },
  };
}

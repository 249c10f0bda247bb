/** The words that the parts of the sandbox share: the simulated cloud, its hypervisor, its control API. */

/** Takes back what was asked for: a timer, a subscription. Calling it twice does nothing more. */
export type Cancel = () => void;

/** Where the simulated cloud takes its time from, so that a test need not wait. */
export interface Clock {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Runs `run` once, `delayMs` from now; what it returns takes that back. */
  readonly after: (delayMs: number, run: () => void) => Cancel;
}

/** One instance as its hypervisor sees it. */
export interface Machine {
  readonly instanceId: string;
  readonly region: string;
  readonly zone: string;
  /** The private IPv4 address, on which the machine's processes listen. */
  readonly address: string;
  /** The address that leads there from elsewhere; null where it has none. */
  readonly publicAddress: string | null;
  readonly stackName: string;
  readonly groupName: string;
  readonly launchedAtMs: number;
  /** What the SDK needs as AWS_EC2_METADATA_SERVICE_ENDPOINT; it answers before boot is called. */
  readonly metadataEndpoint: string;
}

/** Runs machines. The cloud calls it; a test hands in one that runs nothing. */
export interface Hypervisor {
  /** The instance goes from pending to running: start its processes. A rejection terminates the instance. */
  readonly boot: (machine: Machine) => Promise<void>;
  /** SIGTERM to everything, wait at most `graceMs`, SIGKILL. Resolves when nothing of the machine lives; only then the cloud says terminated. */
  readonly shutdown: (instanceId: string, graceMs: number) => Promise<void>;
  /** SIGKILL to everything at once. Resolves when nothing of the machine lives. */
  readonly powerCut: (instanceId: string) => Promise<void>;
}

export type Service = 'ec2' | 'autoscaling' | 'route53' | 'imds';

/**
 * What goes wrong. `refuse` and `reset` end the connection before anything is done (`refuse` in order, `reset` by a
 * TCP reset), `lost-answer` does what was asked and then ends the connection, `hang` never answers,
 * `malformed` does what was asked and answers with XML that breaks off in its middle (metadata: with somebody's web page);
 * `throttle` and `error` answer as the service does under load (`error` is a 500 or 503). The others change what a
 * Describe, Get or List shows: nothing, the first half (rounded down), the state `staleMs` ago, only the asking
 * instance. Calls that change something are not touched by those four.
 */
export type FaultKind =
  | 'throttle'
  | 'error'
  | 'hang'
  | 'reset'
  | 'refuse'
  | 'lost-answer'
  | 'malformed'
  | 'empty'
  | 'half'
  | 'stale'
  | 'self-only';

export interface FaultRequest {
  readonly service: Service | '*';
  /** An action's name (DescribeInstances); for imds the path below /latest/, such as `meta-data/instance-id`. */
  readonly action: string;
  /** Id of the asking instance, or `*` for whoever asks, operators too. */
  readonly instance: string;
  /** Only what this region is asked for; Route 53 has no region, so it is not hit then. All where absent. */
  readonly region?: string;
  /** Only what instances of this region ask, of whatever service and region. */
  readonly fromRegion?: string;
  readonly kind: FaultKind;
  /** Ends after so many hits; until lifted where absent. */
  readonly count?: number;
  /** Which part of the matching calls is hit, 0 to 1 (1 where absent), drawn from the cloud's seed. */
  readonly rate?: number;
  /** For `throttle` and `error`: another error code than the service's usual one, such as PriorRequestNotComplete. */
  readonly code?: string;
  /** For `stale`: how old the answer is. */
  readonly staleMs?: number;
}

export interface Fault extends FaultRequest {
  readonly id: string;
  readonly hits: number;
}

export interface Faults {
  /** Throws where a field has no meaning (an unknown kind, a rate outside 0 to 1, stale without staleMs). */
  readonly add: (fault: FaultRequest) => Fault;
  /** False where no such fault is active. */
  readonly lift: (id: string) => boolean;
  readonly liftAll: () => void;
  readonly list: () => readonly Fault[];
}

export type JsonValue =
  string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };
export type EventFields = Readonly<Record<string, JsonValue>>;

/** One line of the log of what happened. `type` is kebab-case: instance-state, lifecycle-state, api-read, api-change, record-change, fault-hit, process-exit … */
export interface CloudEvent {
  readonly seq: number;
  readonly atMs: number;
  readonly type: string;
  readonly fields: EventFields;
}

export interface EventLog {
  readonly emit: (type: string, fields: EventFields) => void;
  /** All kept events with a number greater than `seq`, oldest first; 0 gives all. */
  readonly since: (seq: number) => readonly CloudEvent[];
  readonly subscribe: (listener: (event: CloudEvent) => void) => Cancel;
}

/** What can be changed while the cloud runs. */
export interface CloudSettings {
  /** From the launch to the state running. */
  readonly launchDelayMs: number;
  /** From the end of all processes to the state terminated. */
  readonly terminationDelayMs: number;
  /** How long a machine may take over SIGTERM. */
  readonly shutdownGraceMs: number;
  /** How often a group looks for instances that died without it, and replaces them. */
  readonly healthCheckMs: number;
  /** From a change of the desired capacity to what the group does about it. */
  readonly scalingDelayMs: number;
  /** How long a just-launched id is unknown to EC2. */
  readonly unknownAfterLaunchMs: number;
  /** How long a terminated instance is still described. */
  readonly terminatedVisibleMs: number;
  /** How old the answers of an action are: { DescribeInstances: 5000 }; absent means current. */
  readonly stalenessMs: Readonly<Record<string, number>>;
  /** How long a change is PENDING before it is INSYNC. */
  readonly route53PendingMs: number;
  /** Requests a second that Route 53 takes from the account; 0 for no limit. */
  readonly route53RateLimit: number;
  /** How long a zone refuses the next change with PriorRequestNotComplete. */
  readonly route53BusyMs: number;
  /** Availability zones in which no instance can be launched now. */
  readonly zonesWithoutCapacity: readonly string[];
  /** The most items on one page of EC2 and Auto Scaling, whatever the caller asks for; 0 for the service's own limits. */
  readonly pageSize: number;
  /** True gives a launched instance the lowest free address, so that a predecessor's comes back at once. */
  readonly reuseAddresses: boolean;
  /** Whether instances get a public address at their launch. True at first where there is more than one region. */
  readonly publicAddresses: boolean;
  /** The most rules that a security group takes. */
  readonly rulesPerSecurityGroup: number;
  /** How long everything takes from one region to another, one way, by public addresses. */
  readonly distanceMs: number;
}

export type Ec2State = 'pending' | 'running' | 'shutting-down' | 'terminated' | 'stopping' | 'stopped';

export type LifecycleState =
  | 'Pending'
  | 'Pending:Wait'
  | 'Pending:Proceed'
  | 'InService'
  | 'Terminating'
  | 'Terminating:Wait'
  | 'Terminating:Proceed'
  | 'Terminated';

export interface HookRequest {
  readonly name: string;
  readonly transition: 'autoscaling:EC2_INSTANCE_LAUNCHING' | 'autoscaling:EC2_INSTANCE_TERMINATING';
  readonly heartbeatTimeoutMs: number;
  readonly defaultResult: 'CONTINUE' | 'ABANDON';
}

export interface GroupRequest {
  /** Default: the first. */
  readonly region?: string;
  readonly name: string;
  readonly stackName: string;
  readonly min: number;
  readonly max: number;
  readonly desired: number;
  readonly hooks?: readonly HookRequest[];
  /** Default: all zones of the region. */
  readonly zones?: readonly string[];
}

export interface InstanceSnapshot {
  readonly region: string;
  readonly instanceId: string;
  readonly groupName: string;
  readonly zone: string;
  readonly address: string;
  readonly publicAddress: string | null;
  readonly state: Ec2State;
  /** Null once it is no part of its group any more. */
  readonly lifecycleState: LifecycleState | null;
  readonly health: 'Healthy' | 'Unhealthy';
  readonly launchedAtMs: number;
}

export interface GroupSnapshot {
  readonly region: string;
  readonly name: string;
  readonly arn: string;
  readonly stackName: string;
  readonly min: number;
  readonly max: number;
  readonly desired: number;
  readonly zones: readonly string[];
  readonly hooks: readonly HookRequest[];
  /** Ids of its present members, oldest first. */
  readonly instances: readonly string[];
}

export interface SecurityGroupSnapshot {
  readonly region: string;
  readonly id: string;
  readonly name: string;
  readonly rules: readonly {
    readonly id: string;
    readonly protocol: string;
    readonly fromPort: number;
    readonly toPort: number;
    /** An address range, or the id of a security group. */
    readonly from: string;
    readonly description: string;
  }[];
}

export interface RecordSnapshot {
  readonly name: string;
  readonly type: string;
  readonly ttl: number;
  readonly values: readonly string[];
}

export interface ZoneSnapshot {
  readonly id: string;
  /** With the trailing dot. */
  readonly name: string;
  readonly private: boolean;
  readonly records: readonly RecordSnapshot[];
}

/** Everything, as plain JSON. */
export interface CloudSnapshot {
  readonly nowMs: number;
  readonly regions: readonly string[];
  readonly instances: readonly InstanceSnapshot[];
  readonly groups: readonly GroupSnapshot[];
  readonly securityGroups: readonly SecurityGroupSnapshot[];
  readonly zones: readonly ZoneSnapshot[];
  readonly faults: readonly Fault[];
  readonly settings: CloudSettings;
  /** What regions have of their own, by their names. */
  readonly regionSettings: Readonly<Record<string, Partial<CloudSettings>>>;
}

/** The operator's side of the simulated cloud. What cannot be done throws a CloudError. */
export interface Cloud {
  readonly createGroup: (group: GroupRequest) => void;
  /** The region must be named where groups of this name are in several. */
  readonly setDesired: (groupName: string, desired: number, region?: string) => void;
  /** As TerminateInstances of EC2; with `decrement` given, as TerminateInstanceInAutoScalingGroup. */
  readonly terminateInstance: (instanceId: string, options?: { readonly decrement?: boolean }) => void;
  /** The machine is dead at once; EC2 says terminated, and the group notices by its next health check. */
  readonly powerCut: (instanceId: string) => void;
  readonly createZone: (name: string, options?: { readonly private?: boolean }) => string;
  readonly describe: () => CloudSnapshot;
  /** Those of the whole cloud, or those that hold in a region. */
  readonly settings: (region?: string) => CloudSettings;
  readonly changeSettings: (changes: Partial<CloudSettings>, region?: string) => CloudSettings;
  readonly faults: Faults;
  readonly events: EventLog;
}

import type {
  CompleteLifecycleActionCommandInput,
  CompleteLifecycleActionCommandOutput,
  DescribeAutoScalingGroupsCommandInput,
  DescribeAutoScalingGroupsCommandOutput,
  DescribeAutoScalingInstancesCommandInput,
  DescribeAutoScalingInstancesCommandOutput,
  DescribeInstanceRefreshesCommandInput,
  DescribeInstanceRefreshesCommandOutput,
  DescribeLifecycleHooksCommandInput,
  DescribeLifecycleHooksCommandOutput,
  RecordLifecycleActionHeartbeatCommandInput,
  RecordLifecycleActionHeartbeatCommandOutput,
  StartInstanceRefreshCommandInput,
  StartInstanceRefreshCommandOutput,
} from '@aws-sdk/client-auto-scaling';
import type {
  AuthorizeSecurityGroupIngressCommandInput,
  AuthorizeSecurityGroupIngressCommandOutput,
  DescribeInstancesCommandInput,
  DescribeInstancesCommandOutput,
  DescribeSecurityGroupsCommandInput,
  DescribeSecurityGroupsCommandOutput,
  RevokeSecurityGroupIngressCommandInput,
  RevokeSecurityGroupIngressCommandOutput,
} from '@aws-sdk/client-ec2';
import type {
  ChangeResourceRecordSetsCommandInput,
  ChangeResourceRecordSetsCommandOutput,
  GetHostedZoneCommandInput,
  GetHostedZoneCommandOutput,
  ListHostedZonesByNameCommandInput,
  ListHostedZonesByNameCommandOutput,
  ListResourceRecordSetsCommandInput,
  ListResourceRecordSetsCommandOutput,
} from '@aws-sdk/client-route-53';

/*
 * Every call that the appliance and its operator's verbs make to AWS, and no other: actions.ts is read off these.
 * Each ends within the deadline, and throws the SDK's error, a TimeoutError or the caller's abort.
 */

type Ask<Input, Output> = (input: Input, signal: AbortSignal) => Promise<Output>;

export interface Ec2Calls {
  readonly describeInstances: Ask<DescribeInstancesCommandInput, DescribeInstancesCommandOutput>;
  readonly describeSecurityGroups: Ask<
    DescribeSecurityGroupsCommandInput,
    DescribeSecurityGroupsCommandOutput
  >;
  readonly authorizeSecurityGroupIngress: Ask<
    AuthorizeSecurityGroupIngressCommandInput,
    AuthorizeSecurityGroupIngressCommandOutput
  >;
  readonly revokeSecurityGroupIngress: Ask<
    RevokeSecurityGroupIngressCommandInput,
    RevokeSecurityGroupIngressCommandOutput
  >;
}

export interface AutoScalingCalls {
  readonly describeAutoScalingGroups: Ask<
    DescribeAutoScalingGroupsCommandInput,
    DescribeAutoScalingGroupsCommandOutput
  >;
  readonly describeAutoScalingInstances: Ask<
    DescribeAutoScalingInstancesCommandInput,
    DescribeAutoScalingInstancesCommandOutput
  >;
  readonly describeLifecycleHooks: Ask<
    DescribeLifecycleHooksCommandInput,
    DescribeLifecycleHooksCommandOutput
  >;
  readonly completeLifecycleAction: Ask<
    CompleteLifecycleActionCommandInput,
    CompleteLifecycleActionCommandOutput
  >;
  readonly recordLifecycleActionHeartbeat: Ask<
    RecordLifecycleActionHeartbeatCommandInput,
    RecordLifecycleActionHeartbeatCommandOutput
  >;
}

/** An operator's: no appliance replaces instances. */
export interface RefreshCalls {
  readonly describeInstanceRefreshes: Ask<
    DescribeInstanceRefreshesCommandInput,
    DescribeInstanceRefreshesCommandOutput
  >;
  readonly startInstanceRefresh: Ask<StartInstanceRefreshCommandInput, StartInstanceRefreshCommandOutput>;
}

export interface Route53Calls {
  readonly listHostedZonesByName: Ask<ListHostedZonesByNameCommandInput, ListHostedZonesByNameCommandOutput>;
  readonly getHostedZone: Ask<GetHostedZoneCommandInput, GetHostedZoneCommandOutput>;
  readonly listResourceRecordSets: Ask<
    ListResourceRecordSetsCommandInput,
    ListResourceRecordSetsCommandOutput
  >;
  /** Tried once: no automatic retry. */
  readonly changeResourceRecordSets: Ask<
    ChangeResourceRecordSetsCommandInput,
    ChangeResourceRecordSetsCommandOutput
  >;
}

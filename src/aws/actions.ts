/**
 * The IAM actions that an appliance needs, sorted: what the policy of its role allows, and nothing else. Those on security
 * groups are called only over several regions, or with public addresses. A test holds this list against the commands that
 * the code sends.
 */
export const IAM_ACTIONS = [
  'autoscaling:CompleteLifecycleAction',
  'autoscaling:DescribeAutoScalingGroups',
  'autoscaling:DescribeAutoScalingInstances',
  'autoscaling:DescribeLifecycleHooks',
  'autoscaling:RecordLifecycleActionHeartbeat',
  'ec2:AuthorizeSecurityGroupIngress',
  'ec2:DescribeInstances',
  'ec2:DescribeSecurityGroups',
  'ec2:RevokeSecurityGroupIngress',
  'route53:ChangeResourceRecordSets',
  'route53:GetHostedZone',
  'route53:ListHostedZonesByName',
  'route53:ListResourceRecordSets',
] as const;

/** What `etcd-appliance upgrade --refresh` needs beyond them: of whoever calls it, not of the instances. */
export const OPERATOR_ACTIONS = [
  'autoscaling:DescribeInstanceRefreshes',
  'autoscaling:StartInstanceRefresh',
] as const;

import type { RecordSet } from '../../../src/core/records.ts';

/** The cluster's name, and the stack's, of every world. */
export const CLUSTER = 'main.example.org';
export const STACK = 'etcd-cluster-main';
export const REGION = 'eu-central-1';
export const REGIONS = [REGION, 'us-east-1'] as const;
export const ZONE_NAME = 'example.org';

/** Records of other people, beside and under the cluster's name: nobody may touch them. */
export const FOREIGN: readonly RecordSet[] = [
  { name: 'other.example.org', type: 'A', ttl: 300, values: ['192.0.2.1'] },
  { name: 'db.main.example.org', type: 'A', ttl: 300, values: ['192.0.2.2'] },
  { name: '_etcd-cluster.domain.example.org', type: 'TXT', ttl: 60, values: ['"a name that ends alike"'] },
];

/** The DNS names of one cluster, lower case, without the final dot. */
export interface Names {
  /** What clients look up: `<name>.<zone>`. */
  readonly cluster: string;
  /** As the Python original's last version had it. */
  readonly server: string;
  readonly srvServer: string;
  readonly srvClient: readonly string[];
  readonly claim: string;
}

/**
 * The name under which a stack's cluster lives: what follows the last dash of the stack's name, as the Python original
 * had it (`etcd-cluster-main` gives `main`); the whole name where there is no dash.
 */
export function clusterLabel(stack: string): string {
  return stack.slice(stack.lastIndexOf('-') + 1).toLowerCase();
}

/** All names of the cluster `cluster` (`<name>.<zone>`; design.md section 5). */
export function namesOf(cluster: string): Names {
  return {
    cluster,
    server: `etcd-server.${cluster}`,
    srvServer: `_etcd-server._tcp.${cluster}`,
    srvClient: [`_etcd._tcp.${cluster}`, `_etcd-client._tcp.${cluster}`],
    claim: `_etcd-cluster.${cluster}`,
  };
}

/** The host name of a member: the target of its SRV records. */
export function hostName(cluster: string, instanceId: string): string {
  return `${instanceId.toLowerCase()}.${cluster}`;
}

/** The value of an SRV record that leads to a member's port; all count the same. */
export function serviceValue(cluster: string, instanceId: string, port: number): string {
  return `1 1 ${port} ${hostName(cluster, instanceId)}`;
}

/** The host name that the value of an SRV record leads to. */
export function hostOfService(value: string): string | undefined {
  return value.split(' ')[3];
}

/** Where an instance's mark is. */
export function markName(cluster: string, instanceId: string): string {
  return `_etcd-start.${instanceId.toLowerCase()}.${cluster}`;
}

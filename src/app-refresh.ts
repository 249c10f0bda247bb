import { createClients } from './aws/clients.ts';
import { createRefreshes, readGroupArn } from './aws/refreshes.ts';
import type { Refreshes } from './aws/refreshes.ts';
import { ApplianceError } from './errors.ts';

export type { Refresh, Refreshes } from './aws/refreshes.ts';

/** The refreshes of a cluster's groups, in the order in which they are to be done. Dispose them to close connections. */
export interface GroupRefreshes extends Disposable {
  readonly groups: readonly (Refreshes & { readonly name: string; readonly region: string })[];
}

/** Opens the groups by their ARNs, as the claim names them. Throws `bad-answer` for one that is no ARN of a group. */
export function openRefreshes(arns: readonly string[]): GroupRefreshes {
  const places = arns.map((arn) => {
    const place = readGroupArn(arn);
    if (place !== null) return place;
    throw new ApplianceError(
      { code: 'bad-answer', service: 'route53' },
      `the claim names the group ${JSON.stringify(arn)}, which is no ARN of an Auto Scaling group: refresh it by hand`,
    );
  });
  const clients = createClients(
    { region: places[0]?.region ?? 'us-east-1' },
    { observer: { onCall: () => undefined } },
  );
  return {
    groups: places.map(({ region, name }) => ({
      name,
      region,
      ...createRefreshes({ name }, { autoScaling: clients.autoScaling(region) }),
    })),
    [Symbol.dispose]: () => clients.destroy(),
  };
}

import { relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Files that take half a minute and more however fast the machine is, as they wait for real clusters: begun first, so that
 * nothing is left to wait for alone at the end. A fresh checkout knows no times of earlier runs.
 */
const LONG: readonly string[] = [
  'test/e2e/crashes.test.ts',
  'test/network/sick.test.ts',
  'test/network/partitions.test.ts',
  'test/e2e/scaling.test.ts',
  'test/e2e/outage.test.ts',
  'test/e2e/replacement.test.ts',
  'test/e2e/moto.test.ts',
  'test/integration/etcd-process.test.ts',
  'test/integration/etcd-admin.test.ts',
  'test/integration/sandbox-whole.test.ts',
  'test/contract/etcd-contract.test.ts',
  'test/contract/aws-contract.test.ts',
  'test/upgrade-lab/old-entries.test.ts',
  'test/upgrade-lab/old-requests.test.ts',
  'test/integration/main.test.ts',
  'test/torture/upgrade-crashes.test.ts',
  'test/torture/outage.test.ts',
  'test/torture/crash-steps.test.ts',
  'test/torture/births.test.ts',
  'test/torture/partitions.test.ts',
  'test/torture/damage.test.ts',
  'test/torture/upgrade.test.ts',
  'test/torture/hardships.test.ts',
  'test/torture/slow-links.test.ts',
  'test/torture/regions.test.ts',
  'test/torture/upgrade-faults.test.ts',
  'test/torture/chaos.test.ts',
];

/** The order of vitest's own, but for the long files, which are the first of their group whatever project they are of. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const group = ({ project }: TestSpecification): number => project.config.sequence.groupOrder;
    const place = ({ moduleId }: TestSpecification): number => {
      const at = LONG.indexOf(relative(this.ctx.config.root, moduleId));
      return at < 0 ? LONG.length : at;
    };
    return sorted.toSorted((one, other) => group(one) - group(other) || place(one) - place(other));
  }
}

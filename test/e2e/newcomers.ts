import type { Sandbox } from '../../src/sandbox/sandbox.ts';
import { textOf } from './fields.ts';

/**
 * Holds each new appliance before its first step, until `until` ends, which is told its instance and how many came before. One
 * that is killed meanwhile is free.
 */
export function holdNewcomers(
  { cloud, hypervisor }: Sandbox,
  until: (instanceId: string, before: number) => Promise<void>,
): void {
  const met = new Set<string>();
  const hold = async (instanceId: string): Promise<void> => {
    // The machine knows of the process only after it has told of it.
    await Promise.resolve();
    await hypervisor.freeze(instanceId, 'appliance');
    try {
      await until(instanceId, met.size - 1);
    } finally {
      await hypervisor.thaw(instanceId, 'appliance');
    }
  };
  cloud.events.subscribe(({ type, fields }) => {
    const instanceId = textOf(fields, 'instanceId');
    if (type !== 'process-start' || fields['process'] !== 'appliance' || met.has(instanceId)) return;
    met.add(instanceId);
    hold(instanceId).catch(() => undefined);
  });
}

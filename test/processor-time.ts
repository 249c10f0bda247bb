/**
 * What this thread has worked so far; ms. A limit of it holds on a machine that is busy with something else, where one of the
 * clock on the wall does not.
 */
export function processorMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

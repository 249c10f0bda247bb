import { parentPort } from 'node:worker_threads';
import type { Hunt } from './hunt.ts';
import './hooks.ts';

/*
 * A thread in which bugs can be planted: a hunt comes, its catch goes, or the text of what was thrown. What imports `src/`
 * is loaded after the hooks are in place.
 */

const { hunt } = await import('./hunt.ts');
const { BUGS } = await import('./bugs.ts');

async function goHunting(order: Hunt): Promise<unknown> {
  const bug = BUGS.find((it) => it.name === order.bug);
  if (bug === undefined) throw new Error(`no bug is called "${order.bug}"`);
  return await hunt(order, bug);
}

parentPort?.on('message', (order: Hunt) => {
  goHunting(order).then(
    (found) => parentPort?.postMessage(found),
    (error: unknown) =>
      parentPort?.postMessage(error instanceof Error ? (error.stack ?? error.message) : String(error)),
  );
});

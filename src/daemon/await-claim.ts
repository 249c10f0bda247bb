import type { Instance } from '../core/fleet.ts';
import { isJoinable } from '../core/fleet.ts';
import { BUSY_AWS_INTERVAL_MS, CLAIM_TURN_MS, FAR_ASK_MS } from '../core/numbers.ts';
import type { Context } from './context.ts';
import { orLate } from './or-late.ts';

/** Appliances that run answer in a few ms; one that is gone must not keep a joiner waiting. */
const ASK_MS = 200;

/**
 * Where a birth is under way and another instance is the one to claim, its hint is waited for before the register is first
 * read, for a second at most: what is read before the claim is read again after it, and Route 53 takes five calls a second.
 * Only a delay: nothing rests on what was heard here. An instance that is to join finds data or an epoch at somebody, and
 * does not wait.
 */
export async function awaitClaim(context: Context, signal: AbortSignal): Promise<void> {
  const { ports, fleetView, lifeBell } = context;
  const fleet = await fleetView.fleet(BUSY_AWS_INTERVAL_MS, signal);
  if (!fleet.known) return;
  const joinable = fleet.value.instances.filter((it) => isJoinable(it)).sort(byId);
  const [first] = joinable;
  if (first === undefined || first.id === ports.self.id) return;
  const others = joinable.filter((it) => it.id !== ports.self.id);
  const answers = await Promise.all(
    others.map(async (it) => ({ id: it.id, word: await askWord(context, it, signal) })),
  );
  const claims = answers.some(({ id, word }) => id === first.id && word === 'nothing');
  if (claims && !answers.some(({ word }) => word === 'something')) await lifeBell.wait(CLAIM_TURN_MS, signal);
}

function byId(a: { readonly id: string }, b: { readonly id: string }): number {
  return a.id < b.id ? -1 : 1;
}

/** Whether an instance knows of a cluster; silence is neither. */
async function askWord(
  { ports }: Context,
  { address, region }: Instance,
  signal: AbortSignal,
): Promise<'nothing' | 'something' | 'silence'> {
  if (address === null) return 'silence';
  const hint = { epoch: 0, from: ports.self.id };
  const answer = await orLate(
    ports.clock,
    region === ports.self.region ? ASK_MS : FAR_ASK_MS,
    null,
    (both) => ports.peers.askBirth(address, hint, both),
    signal,
  );
  if (answer === null || !answer.known) return 'silence';
  const { data, aside, epoch } = answer.value;
  return data === null && aside.length === 0 && epoch === 0 ? 'nothing' : 'something';
}

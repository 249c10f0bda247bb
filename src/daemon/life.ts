import type { DataIdentity, EtcdExit } from '../core/local-data.ts';
import { registerMoved } from '../core/local-data.ts';
import { RESTART_RESET_MS } from '../core/numbers.ts';
import { reason } from '../core/reason.ts';
import { restartDelayMs } from '../core/restart-policy.ts';
import { ApplianceError } from '../errors.ts';
import type { Context } from './context.ts';
import type { RunningEtcd } from './ports.ts';
import { noteIdentity } from './member-acts.ts';
import { watchMember } from './member.ts';
import { startEtcd } from './starter.ts';
import { noteEnd } from './swap-etcd.ts';

/** What is planned for an etcd that runs. Shown after its end, page and alarms would tell of it for as long as none runs. */
const MEMBERS_PLANNERS = ['member', 'liveness', 'promote', 'forming'];

/**
 * The life of this instance's etcd: start it, watch over it, start it again. Ends when the instance leaves. The process's
 * exit is an event, not a poll; what it means is asked of the member list, never read from the exit code.
 */
export async function live(context: Context, signal: AbortSignal): Promise<void> {
  const { ports, state, chronicle } = context;
  const adopted = await ports.process.adopt(signal);
  if (adopted !== null) {
    state.identity = (await ports.data.read(signal)).identity;
    const moved = registerMoved(state.identity, ports.self.id, ports.zone.register);
    // etcd is left running: it may be needed where it belongs.
    if (moved !== null)
      throw new ApplianceError({ code: 'configuration', problems: [moved.sentence] }, moved.sentence);
    chronicle.event(
      'adopt-etcd',
      reason('adopted', `etcd ${adopted.version} (pid ${adopted.pid}) runs already: it is taken over`),
    );
  }
  let running: RunningEtcd | null = adopted;
  let failures = 0;
  let damagedStarts = 0;
  /** Whose data those starts were of, and of which etcd. */
  let startsOf = '';
  let afterCrash = false;
  for (;;) {
    running ??= await startEtcd(context, { afterCrash, damagedStarts }, signal);
    if (running === null) return;
    // Those that were damaged are set aside, and a new member begins; or another etcd reads them: they are judged anew.
    const whose = `${state.identity?.memberId ?? ''} ${running.version}`;
    if (whose !== startsOf) damagedStarts = 0;
    startsOf = whose;
    const isTried = isTriedStep(state.identity, running.version);
    state.etcd = running;
    chronicle.done('start');
    if (state.phase === 'starting') state.phase = 'running';
    const { exit, wellForMs } = await watchMember(context, running, signal);
    running = null;
    state.etcd = null;
    for (const planner of MEMBERS_PLANNERS) chronicle.done(planner);
    state.joining = false;
    state.lastExit = exit;
    if (isLeaving(context)) return;
    await noteDamage(context, exit, { isTried, wellForMs }, signal);
    if (noteEnd(state, exit)) {
      afterCrash = true;
      await state.swap?.hold;
      continue;
    }
    failures = wellForMs >= RESTART_RESET_MS ? 0 : failures;
    // Well for a moment is not sound: what is damaged may be read only later.
    if (wellForMs >= RESTART_RESET_MS) damagedStarts = 0;
    damagedStarts = exit.saysDamaged === null || isTried ? damagedStarts : damagedStarts + 1;
    // A member that says it was removed asks the list first; for all else the data are started on what is known.
    afterCrash = !exit.saysRemoved && exit.saysDamaged === null;
    const delayMs = restartDelayMs(failures, ports.random.fraction());
    failures += 1;
    ports.meter.restarted();
    const how = exit.signal ?? `code ${exit.code ?? 'unknown'}`;
    const words = exit.lastWords === '' ? '' : `: ${exit.lastWords}`;
    chronicle.trouble('etcd-ended', reason('etcd-ended', `etcd ended by ${how}${words}`), { exit, delayMs });
    await rest(context, delayMs, signal);
  }
}

/**
 * Keeps beside the data that etcd could not read them, or that it could again: an instance that boots anew, or is no member any
 * more, sets them aside without asking etcd, and damaged ones stand for no older ones.
 */
async function noteDamage(
  context: Context,
  { saysDamaged }: EtcdExit,
  { isTried, wellForMs }: { readonly isTried: boolean; readonly wellForMs: number },
  signal: AbortSignal,
): Promise<void> {
  const { identity } = context.state;
  if (identity === null) return;
  const before = identity.damaged === true;
  const damaged = saysDamaged === null ? before && wellForMs === 0 : before || !isTried;
  if (damaged !== before) await noteIdentity(context, { ...identity, damaged }, 'note-damage', signal);
}

/**
 * Whether an etcd of this version runs in a step that goes on. What it cannot read, the one before it ran on: the step is
 * taken back, and that one has the last word on its data.
 */
function isTriedStep(identity: DataIdentity | null, version: string): boolean {
  const step = identity?.step ?? null;
  return step !== null && step.why === null && step.to === version;
}

function isLeaving(context: Context): boolean {
  return context.state.phase === 'leaving';
}

/** Waits before a restart; an order to leave ends it. A turn of the start, whose last may be days ago: it is not stuck. */
async function rest(context: Context, delayMs: number, signal: AbortSignal): Promise<void> {
  const began = context.ports.clock.now();
  const until = began + delayMs;
  context.state.turns.set('start', began);
  for (let left = delayMs; left > 0 && !isLeaving(context); left = until - context.ports.clock.now()) {
    await context.lifeBell.wait(left, signal);
  }
}

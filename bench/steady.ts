import { setTimeout as delay } from 'node:timers/promises';
import type { EtcdBinary } from '../src/etcd/binaries.ts';
import { form } from './appliance.ts';
import { callsOf, type Counters } from './counters.ts';
import { countersOf, createGroup, type Group, isCall, ready, textOf } from './group.ts';
import { type Life, median, onlyOf } from './measures.ts';

/** What comes right after a birth, the first look for drift among it, is not the steady state. */
const CALM_MS = 30_000;
const SAMPLES = 30;
const HOUR_MS = 3_600_000;

/** A cluster of which nobody wants anything for `minutes`: what it costs to be there. */
export async function liveSteady(
  binary: EtcdBinary,
  size: number,
  minutes: number,
  signal: AbortSignal,
): Promise<Life> {
  await using stack = new AsyncDisposableStack();
  const group = await createGroup(binary, size, stack, signal);
  await form(group);
  await ready(group);
  await delay(CALM_MS, undefined, { signal: group.signal });
  await watch(group, minutes * 60_000);
  return onlyOf('steady', group.recorder);
}

async function watch(group: Group, windowMs: number): Promise<void> {
  const { sandbox, recorder, signal } = group;
  const called: string[] = [];
  const cancel = sandbox.cloud.events.subscribe((event) => {
    if (isCall(event)) called.push(textOf(event.fields['service']));
  });
  const beganMs = performance.now();
  const before = await countersOf(group);
  const looks: (readonly Counters[])[] = [before];
  for (let look = 1; look <= SAMPLES; look += 1) {
    const dueMs = beganMs + (windowMs * look) / SAMPLES;
    await delay(Math.max(0, dueMs - performance.now()), undefined, { signal });
    looks.push(await countersOf(group));
  }
  const tookMs = performance.now() - beganMs;
  cancel();
  const after = looks.at(-1) ?? [];
  const perHour = (count: number): number => (count * HOUR_MS) / tookMs;
  recorder.record('steady.aws', perHour(called.length));
  for (const service of ['ec2', 'autoscaling', 'route53'] as const) {
    recorder.record(`steady.${service}`, perHour(called.filter((it) => it === service).length));
  }
  recorder.record('steady.imds', perHour(callsOf(after, 'imds') - callsOf(before, 'imds')));
  before.forEach(({ cpuSeconds }, index) => {
    const memory = looks.map((all) => (all[index]?.memoryBytes ?? Number.NaN) / 1e6);
    const fifth = Math.ceil(memory.length / 5);
    recorder.record('steady.memory', median(memory));
    recorder.record('steady.growth', median(memory.slice(-fifth)) - median(memory.slice(0, fifth)));
    const spentSeconds = (after[index]?.cpuSeconds ?? Number.NaN) - cpuSeconds;
    recorder.record('steady.cpu', (spentSeconds / (tookMs / 1_000)) * 100);
  });
}

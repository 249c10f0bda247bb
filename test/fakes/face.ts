import type { BirthAnswer } from '../../src/core/birth.ts';
import type { BirthHint, Face, UpgradeView } from '../../src/http/face.ts';
import { wordOf } from '../fixtures/core/upgrade.ts';

export const BIRTH_ANSWER: BirthAnswer = {
  instanceId: 'i-0a',
  stack: 'etcd-demo',
  data: { token: 'c0ffee', clusterId: null, formed: false },
  aside: [{ token: null, clusterId: 'cdf818194e3a8c32', formed: true }],
  mark: { token: 'c0ffee', started: true },
  nonce: '0123456789abcdef0123456789abcdef',
  etcd: { installed: ['3.6.16', '3.7.3'], wanted: '3.7' },
  epoch: 7,
};

export const UPGRADE_VIEW: UpgradeView = {
  ...wordOf('i-0a', {
    installed: ['3.6.16', '3.7.3'],
    wanted: '3.7',
    replay: { known: false, reason: 'the log is away' },
  }),
  plan: { code: 'upgrade-step', sentence: 'i-0b steps from 3.6.16 to 3.7.3' },
  checks: [{ code: 'upgrade-learner', sentence: 'no member is a learner', ok: true }],
  waiting: ['i-0b', 'i-0a'],
};

/** A face that shows fixed values; `hints` collects what callers of /birth said. */
export function createFakeFace(changes: Partial<Face> = {}): Face & { readonly hints: BirthHint[] } {
  const hints: BirthHint[] = [];
  return {
    hints,
    birth: (hint) => {
      hints.push(hint);
      return BIRTH_ANSWER;
    },
    upgrade: () => Promise.resolve(UPGRADE_VIEW),
    members: () => ({
      observedAt: '2026-11-21T10:00:00.000Z',
      fleetObservedAt: '2026-11-21T09:59:00.000Z',
      clusterId: 'cdf818194e3a8c32',
      members: [
        {
          instanceId: 'i-0a',
          memberId: '8e9e05c52164694d',
          role: 'leader',
          health: 'healthy',
          region: 'eu-central-1',
          zone: 'eu-central-1a',
          address: '127.78.1.10',
          lifecycle: 'InService',
          state: 'running',
          raftIndex: 42,
          version: '3.6.16',
          dbSizeBytes: 20_480,
        },
      ],
      unknown: [],
    }),
    status: () => ({
      version: '0.1.0',
      instanceId: 'i-0a',
      region: 'eu-central-1',
      zone: 'eu-central-1a',
      address: '127.78.1.10',
      cluster: 'demo.example.org',
      phase: 'Serving.',
      claim: { state: 'formed', epoch: 1 },
      observedAt: '2026-11-21T10:00:00.000Z',
      observation: { fleet: { known: false, reason: 'throttled' } },
      plan: [{ code: 'steady', sentence: 'all members are healthy' }],
      upgrade: null,
      events: [
        { at: '2026-11-21T10:00:00.000Z', level: 'info', component: 'daemon', message: 'formed', fields: {} },
      ],
    }),
    health: () => ({ ok: true, reason: 'the loops turn' }),
    ready: () => ({ ok: false, reason: 'the member is a learner' }),
    metrics: () => Promise.resolve({ contentType: 'text/plain; version=0.0.4', text: 'up 1\n' }),
    ...changes,
  };
}

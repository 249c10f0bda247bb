import { describeError } from '../errors.ts';

/** etcd's refusals, by what they mean to the caller. The shape of the daemon's AdminRefusal. */
export type AdminRefusal =
  | 'peer-url-exists'
  | 'too-many-learners'
  | 'unhealthy-cluster'
  | 'not-enough-started'
  | 'not-found'
  | 'not-in-sync'
  | 'not-a-learner'
  | 'not-leader'
  | 'learner-refuses'
  | 'downgrade-in-progress'
  | 'no-answer'
  | 'other';

/** The result of a call that changes etcd. The shape of the daemon's AdminOutcome. */
export type AdminOutcome<T = unknown> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly code: AdminRefusal; readonly message: string };

/**
 * etcd's own reasons are in the message alone; the gRPC codes differ between its versions. The order matters: the first
 * that fits decides.
 */
const REFUSALS: readonly (readonly [RegExp, AdminRefusal])[] = [
  // The id is made of peer URL and second: within one second the same URL meets its own id first.
  [/Peer URLs already exists|member ID already exist/i, 'peer-url-exists'],
  [/too many learner members/i, 'too-many-learners'],
  [/unhealthy cluster/i, 'unhealthy-cluster'],
  [/not enough started members/i, 'not-enough-started'],
  [/member not found/i, 'not-found'],
  [/learner member which is in sync with leader/i, 'not-in-sync'],
  [/can only promote a learner member/i, 'not-a-learner'],
  [/rpc not supported for learner/i, 'learner-refuses'],
  [/downgrade job in progress/i, 'downgrade-in-progress'],
  [/etcdserver: not leader/i, 'not-leader'],
  [
    /request timed out|no leader|leader changed|deadline exceeded|UNAVAILABLE|server stopped|CANCELLED/i,
    'no-answer',
  ],
];

/** What an error of etcd3 means. */
export function refusalOf(error: unknown): { readonly code: AdminRefusal; readonly message: string } {
  const message = describeError(error);
  const code = REFUSALS.find(([pattern]) => pattern.test(message))?.[1] ?? 'other';
  return { code, message };
}

/** What etcd says where authentication is on, to who comes without a user or may not do that. Every version says it before it looks at anything else. */
const NOT_LET_IN = /etcdserver: (user name is empty|permission denied|invalid auth token)/;

/** Whether a failed call's error is etcd's word that it does not let the caller in. */
export function isNotLetIn(error: unknown): boolean {
  return NOT_LET_IN.test(describeError(error));
}

/** Whether the connection itself failed, so that the next call had better make a new one. */
export function isDisconnected(error: unknown): boolean {
  const message = describeError(error);
  return /UNAVAILABLE|ECONN/.test(message) && !/etcdserver:/.test(message);
}

/** Whether a call had no answer within its time, of which etcd knows, too: the other side is slow, far, or no more. */
export function isLate(error: unknown): boolean {
  const message = describeError(error);
  return /DEADLINE_EXCEEDED|CANCELLED/.test(message) && !/etcdserver:/.test(message);
}

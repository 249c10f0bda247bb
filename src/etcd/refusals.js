import { describeError } from '../errors.js';
/**
 * etcd's own reasons are in the message alone; the gRPC codes differ between its versions. The order matters: the first
 * that fits decides.
 */
const REFUSALS = [
  [/Peer URLs already exists/i, 'peer-url-exists'],
  [/too many learner members/i, 'too-many-learners'],
  [/unhealthy cluster/i, 'unhealthy-cluster'],
  [/not enough started members/i, 'not-enough-started'],
  [/member not found/i, 'not-found'],
  [/learner member which is in sync with leader/i, 'not-in-sync'],
  [/can only promote a learner member/i, 'not-a-learner'],
  [/rpc not supported for learner/i, 'learner-refuses'],
  [/etcdserver: not leader/i, 'not-leader'],
  [
    /request timed out|no leader|leader changed|deadline exceeded|UNAVAILABLE|server stopped|CANCELLED/i,
    'no-answer',
  ],
];
/** What an error of etcd3 means. */
export function refusalOf(error) {
  const message = describeError(error);
  const code = REFUSALS.find(([pattern]) => pattern.test(message))?.[1] ?? 'other';
  return { code, message };
}
/** Whether the connection itself failed, so that the next call had better make a new one. */
export function isDisconnected(error) {
  const message = describeError(error);
  return /UNAVAILABLE|DEADLINE_EXCEEDED|ECONN|CANCELLED/.test(message) && !/etcdserver:/.test(message);
}

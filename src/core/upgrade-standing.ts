import type { UpgradeAction, UpgradeCode } from './plan-upgrade.ts';

/**
 * How an upgrade stands: there is none; it goes on by itself; it waits for something that usually mends itself; or it
 * stands still until an operator mends, replaces or says something.
 */
export type Standing = 'none' | 'moves' | 'waits' | 'stands';

const STANDINGS: Readonly<Record<UpgradeCode, Standing>> = {
  'upgrade-done': 'none',
  'upgrade-step': 'moves',
  'upgrade-clear': 'moves',
  'upgrade-bring-snapshot': 'moves',
  'upgrade-enable-downgrade': 'moves',
  'upgrade-cancel-downgrade': 'moves',
  'upgrade-locked': 'moves',
  'upgrade-orphaned': 'moves',
  // Etcd takes its version in some seconds; where it never does, nothing else would tell.
  'upgrade-settling': 'waits',
  'upgrade-unknown': 'waits',
  'upgrade-silent': 'waits',
  'upgrade-learner': 'waits',
  'upgrade-unhealthy': 'waits',
  'upgrade-unstarted': 'waits',
  'upgrade-held': 'stands',
  'upgrade-apart': 'stands',
  'upgrade-paused': 'stands',
  'upgrade-failed': 'stands',
  'upgrade-no-way-back': 'stands',
  'upgrade-lacks': 'stands',
  'upgrade-release': 'stands',
  'upgrade-patch': 'stands',
  'upgrade-auth': 'stands',
  'upgrade-v2': 'stands',
  'upgrade-snapshot': 'stands',
  'upgrade-alarm': 'stands',
  'upgrade-disk': 'stands',
};

/** How an upgrade stands by what is planned next. */
export function standingOf({ reason }: Pick<UpgradeAction, 'reason'>): Standing {
  return STANDINGS[reason.code];
}

import type { Known } from '../core/known.ts';
import type { MemberAlarm, MemberVersions } from '../core/members.ts';
import { describeError } from '../errors.ts';
import type { Caller } from './admin-caller.ts';
import { signed } from './answers.ts';
import { hexId } from './ids.ts';
import type { AdminOutcome } from './refusals.ts';
import { askVersions } from './versions.ts';

/** A step of etcd's own downgrade. The shape of the daemon's DowngradeAction. */
export type DowngradeAction = 'validate' | 'enable' | 'cancel';

/** The calls that a step to another version makes. Part of the daemon's AdminPort. */
export interface UpgradeCalls {
  versions(endpoint: string, signal: AbortSignal): Promise<Known<MemberVersions>>;
  alarms(endpoint: string, signal: AbortSignal): Promise<Known<readonly MemberAlarm[]>>;
  authEnabled(endpoint: string, signal: AbortSignal): Promise<Known<boolean>>;
  downgrade(
    endpoint: string,
    action: DowngradeAction,
    version: string,
    signal: AbortSignal,
  ): Promise<AdminOutcome>;
}

/** By number: a word that etcd3 does not know would be sent as 0, which is Validate, and be answered OK. */
const ACTIONS: Readonly<Record<DowngradeAction, number>> = { validate: 0, enable: 1, cancel: 2 };

/** A name that no user of etcd has, since etcd takes no user without a name. */
const NOBODY = { name: '', password: '' };

/** The calls, each made by `caller`; /version is asked past it, within the same limit and where `dial` says. */
export function upgradeCalls(
  { ask, change }: Caller,
  deadlineMs: number,
  dial: (endpoint: string) => string,
): UpgradeCalls {
  return {
    versions: async (endpoint, signal) => await askVersions(dial(endpoint), deadlineMs, signal),
    alarms: async (endpoint, signal) =>
      ask(endpoint, signal, async (client, options) => {
        // 3.4 does not sign its alarms: that etcd answers there is asked of the status.
        signed(await client.maintenance.status(options));
        const { alarms } = await client.maintenance.alarm({ action: 'Get' }, options);
        return alarms.map(({ memberID, alarm }) => ({
          memberId: hexId(memberID),
          alarm: alarm.toUpperCase(),
        }));
      }),
    // AuthStatus is not there on 3.4 and not in etcd3. Where authentication is off, every version says so before it looks
    // at the name; where it is on, it refuses the name. Both come from a linearizable look, and write nothing.
    authEnabled: async (endpoint, signal) =>
      ask(endpoint, signal, async (client, options) => {
        try {
          await client.auth.authenticate(NOBODY, options);
          return true;
        } catch (error) {
          const said = describeError(error);
          if (/authentication is not enabled/i.test(said)) return false;
          if (/authentication failed|user name is empty|user name not found/i.test(said)) return true;
          throw error;
        }
      }),
    downgrade: async (endpoint, action, version, signal) =>
      change(endpoint, signal, async (client, options) =>
        signed(await client.maintenance.downgrade({ action: ACTIONS[action], version }, options)),
      ),
  };
}

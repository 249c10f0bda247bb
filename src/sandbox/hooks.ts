import { validationError } from './cloud-error.ts';
import type { Cancel, Clock, EventLog, HookRequest } from './model.ts';
import { randomUuid } from './random.ts';
import type { Group, HookWait, Member, RegionStore } from './world.ts';

/** How an action is named by who completes it: by the instance or by the token. */
export interface ActionName {
  readonly hookName: string;
  readonly instanceId: string | null;
  readonly token: string | null;
}

export interface HooksDeps {
  readonly store: RegionStore;
  readonly clock: Clock;
  readonly events: EventLog;
  readonly random: () => number;
  readonly setMember: (groupName: string, member: Member) => void;
  /** All actions of a transition are over: `abandoned` where one ended so. */
  readonly finished: (groupName: string, instanceId: string, abandoned: boolean) => void;
}

export interface Hooks {
  /** Makes a member wait for these hooks, one action each. */
  readonly begin: (groupName: string, member: Member, hooks: readonly HookRequest[]) => void;
  /** Throws ValidationError where no such action waits. */
  readonly complete: (group: Group, action: ActionName, result: string) => void;
  readonly heartbeat: (group: Group, action: ActionName) => void;
  /** A hook was deleted: its actions end as continued. */
  readonly drop: (group: Group, hookName: string) => void;
  /** The group is deleted: whatever waits goes on. */
  readonly dropAll: (group: Group) => void;
  /** The member leaves its transition: its actions wait no more. */
  readonly abandonWaits: (member: Member) => void;
  readonly close: () => void;
}

/** AWS's limit: 100 heartbeat timeouts or 48 hours, whichever is less. */
const MAX_TIMEOUTS = 100;
const MAX_WAIT_MS = 48 * 3_600_000;

function find(group: Group, action: ActionName): { readonly member: Member; readonly wait: HookWait } {
  for (const member of group.members) {
    if (action.instanceId !== null && member.instanceId !== action.instanceId) continue;
    for (const wait of member.waits) {
      if (wait.hookName === action.hookName && (action.token === null || wait.token === action.token)) {
        return { member, wait };
      }
    }
  }
  const by =
    action.instanceId === null ? `token ${String(action.token)}` : `instance ID ${action.instanceId}`;
  throw validationError(`No active Lifecycle Action found with ${by}`);
}

/** Lifecycle actions that wait for completion, a heartbeat, or their time to end. */
export function createHooks(deps: HooksDeps): Hooks {
  const { store, clock, events, random } = deps;
  const timers = new Map<string, Cancel>();

  const end = (groupName: string, instanceId: string, token: string, result: string, by: string): void => {
    timers.get(token)?.();
    timers.delete(token);
    const member = store
      .world()
      .groups.get(groupName)
      ?.members.find((it) => it.instanceId === instanceId);
    const wait = member?.waits.find((it) => it.token === token);
    if (member === undefined || wait === undefined) return;
    events.emit('hook-ended', { groupName, instanceId, hook: wait.hookName, result, by });
    const waits = result === 'ABANDON' ? [] : member.waits.filter((it) => it.token !== token);
    for (const other of member.waits) {
      if (waits.includes(other)) continue;
      timers.get(other.token)?.();
      timers.delete(other.token);
    }
    deps.setMember(groupName, { ...member, waits });
    if (waits.length === 0) deps.finished(groupName, instanceId, result === 'ABANDON');
  };

  const arm = (groupName: string, instanceId: string, wait: HookWait, hook: HookRequest): void => {
    timers.get(wait.token)?.();
    const expire = (): void => {
      end(groupName, instanceId, wait.token, hook.defaultResult, 'timeout');
    };
    timers.set(wait.token, clock.after(wait.deadlineMs - clock.now(), expire));
  };

  const hookOf = (group: Group, wait: HookWait): HookRequest => {
    const hook = group.hooks.find((it) => it.name === wait.hookName);
    if (hook === undefined) throw validationError(`Lifecycle hook ${wait.hookName} does not exist`);
    return hook;
  };

  const dropWhere = (group: Group, which: (wait: HookWait) => boolean): void => {
    for (const member of group.members) {
      for (const wait of member.waits.filter(which)) {
        end(group.name, member.instanceId, wait.token, 'CONTINUE', 'hook deleted');
      }
    }
  };

  return {
    begin(groupName, member, hooks) {
      const nowMs = clock.now();
      const waits = hooks.map((hook): HookWait => ({
        hookName: hook.name,
        token: randomUuid(random),
        startedAtMs: nowMs,
        deadlineMs: nowMs + hook.heartbeatTimeoutMs,
      }));
      deps.setMember(groupName, { ...member, waits });
      waits.forEach((wait, index) => {
        const hook = hooks[index];
        if (hook !== undefined) arm(groupName, member.instanceId, wait, hook);
      });
    },
    complete(group, action, result) {
      if (result !== 'CONTINUE' && result !== 'ABANDON') {
        throw validationError('Lifecycle action result must be one of [CONTINUE, ABANDON]');
      }
      const { member, wait } = find(group, action);
      end(group.name, member.instanceId, wait.token, result, 'completed');
    },
    heartbeat(group, action) {
      const { member, wait } = find(group, action);
      const hook = hookOf(group, wait);
      const lastMs = wait.startedAtMs + Math.min(MAX_WAIT_MS, MAX_TIMEOUTS * hook.heartbeatTimeoutMs);
      const next = { ...wait, deadlineMs: Math.min(lastMs, clock.now() + hook.heartbeatTimeoutMs) };
      const waits = member.waits.map((it) => (it.token === wait.token ? next : it));
      deps.setMember(group.name, { ...member, waits });
      arm(group.name, member.instanceId, next, hook);
    },
    drop(group, hookName) {
      dropWhere(group, (wait) => wait.hookName === hookName);
    },
    dropAll(group) {
      dropWhere(group, () => true);
    },
    abandonWaits(member) {
      for (const wait of member.waits) {
        timers.get(wait.token)?.();
        timers.delete(wait.token);
      }
    },
    close() {
      for (const cancel of timers.values()) cancel();
      timers.clear();
    },
  };
}

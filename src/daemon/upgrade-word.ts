import { known } from '../core/known.ts';
import type { Known } from '../core/known.ts';
import type { UpgradeAnswer } from '../core/upgrade.ts';
import { minorOf } from '../core/versions.ts';
import type { Context } from './context.ts';
import { etcdAtHand } from './etcd-at-hand.ts';

/**
 * Reading a log takes seconds where it is long, and everybody asks: an answer is kept this long once it has come. One that is
 * still to come is everybody's: who asks gives up after seconds, and, begun anew for the next ask, it would come to nobody.
 */
const KEPT_MS = 5_000;

/** What this instance says of itself to whoever plans an upgrade. */
export interface UpgradeWord {
  tell(signal: AbortSignal): Promise<UpgradeAnswer>;
  /** The data were changed: the next answer looks at them anew. */
  forget(): void;
}

type Inspection = Pick<UpgradeAnswer, 'v2' | 'replay'>;

interface Kept {
  /** When it came; null: it has not yet. */
  cameAt: number | null;
  readonly pid: number;
  readonly value: Promise<Inspection>;
}

/** The word of one appliance. The data are read only where the next minor minds what is in them. */
export function createUpgradeWord(context: Pick<Context, 'ports' | 'options' | 'state'>): UpgradeWord {
  const { ports, options, state } = context;
  let kept: Kept | null = null;

  const inspect = async (version: string, signal: AbortSignal): Promise<Inspection> => {
    const minor = minorOf(version);
    return {
      v2: minor === '3.5' ? await ports.inspect.v2Content(signal) : known('clean'),
      replay:
        minor === '3.6'
          ? await ports.inspect.logReplay(signal)
          : known({ snapshotIndex: 0, lastIndex: 0, lastV2Index: null }),
    };
  };
  const inspected = async (signal: AbortSignal): Promise<Inspection> => {
    const etcd = state.etcd;
    const none: Known<never> = { known: false, reason: 'etcd does not run' };
    if (etcd === null) return { v2: none, replay: none };
    const last = kept;
    const isOld = last !== null && last.cameAt !== null && ports.clock.now() - last.cameAt > KEPT_MS;
    const current: Kept =
      last === null || last.pid !== etcd.pid || isOld
        ? { cameAt: null, pid: etcd.pid, value: inspect(etcd.version, signal) }
        : last;
    kept = current;
    try {
      const value = await current.value;
      current.cameAt ??= ports.clock.now();
      return value;
    } catch (error) {
      if (kept === current) kept = null;
      throw error;
    }
  };

  return {
    async tell(signal) {
      const [etcd, data, disk] = await Promise.all([
        etcdAtHand({ ports, options }, signal),
        inspected(signal),
        ports.inspect.disk(signal),
      ]);
      return {
        instanceId: ports.self.id,
        ...etcd,
        ...data,
        freeBytes: disk.known ? known(disk.value.freeBytes) : disk,
      };
    },
    forget: () => void (kept = null),
  };
}

/** What the instance at an address says of itself: this one at once, another over HTTP. `fresh`: it looks anew. */
export async function askWord(
  { ports, upgradeWord }: Pick<Context, 'ports' | 'upgradeWord'>,
  address: string,
  fresh: boolean,
  signal: AbortSignal,
): Promise<Known<UpgradeAnswer>> {
  if (address !== ports.self.address)
    return await ports.peers.askUpgrade(address, { from: ports.self.id, fresh }, signal);
  if (fresh) upgradeWord.forget();
  return known(await upgradeWord.tell(signal));
}

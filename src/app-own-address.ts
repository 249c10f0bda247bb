import { clientUrl } from './core/urls.ts';
import type { EtcdAdmin } from './etcd/admin.ts';
import { createAdmin } from './etcd/admin.ts';
import { probeEtcd } from './etcd/probe.ts';
import type { EtcdProcesses } from './etcd/process.ts';
import type { Peers } from './http/peers.ts';

/** An instance's addresses: one that all others know it by, and the one of its interface. */
export interface OwnAddress {
  /** Advertised: in the fleet, in the claim, in URLs and in names. */
  readonly address: string;
  /** The interface's: where the own etcd and face are asked. EC2 translates a public address: no interface has it. */
  readonly listen: string;
}

/** The addresses, and how they are used. */
export interface OwnReachOptions extends OwnAddress {
  /** Where the own etcd is told to listen: LISTEN_ADDRESS, else `listen`. */
  readonly bind: string;
  /** What a call to a member may take. */
  readonly callMs?: number;
}

/** What talks to members and appliances, the own ones among them. */
export interface OwnReach {
  readonly admin: EtcdAdmin;
  readonly probe: { readonly probe: typeof probeEtcd };
  readonly process: EtcdProcesses;
  readonly peers: Peers;
}

/**
 * The one place that knows that the two addresses may differ. All else says the advertised one; here what is meant for the own
 * etcd or face goes to where it listens, and not out to the internet and back, past a security group that need not allow it.
 */
export function openOwnReach(
  { address, listen, bind, callMs }: OwnReachOptions,
  { process, peers }: Pick<OwnReach, 'process' | 'peers'>,
): OwnReach {
  const host = (asked: string): string => (asked === address ? listen : asked);
  const url = (endpoint: string): string => (endpoint === clientUrl(address) ? clientUrl(listen) : endpoint);
  return {
    admin: createAdmin({ dial: url, ...(callMs !== undefined && { deadlineMs: callMs }) }),
    probe: { probe: async (asked, signal) => await probeEtcd(host(asked), signal) },
    process: {
      ...process,
      start: async (start, signal) => await process.start({ ...start, listenAddress: bind }, signal),
      preflight: async (version, asked, signal) =>
        await process.preflight(version, asked === address ? bind : asked, signal),
    },
    peers: {
      askBirth: async (asked, hint, signal) => await peers.askBirth(host(asked), hint, signal),
      askUpgrade: async (asked, hint, signal) => await peers.askUpgrade(host(asked), hint, signal),
    },
  };
}

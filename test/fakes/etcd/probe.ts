import type { Probe, ProbePort } from '../../../src/daemon/ports.ts';
import type { Etcds } from './node.ts';

const LIMIT_MS = 1_000;

/** The probe, sent from an address: whatever speaks there as etcd, with or without quorum, on either port. */
export function createProbe({ clock, network, processes }: Etcds, from: string): ProbePort {
  const passes = (one: string, other: string): boolean =>
    network.reaches(one, other, 'client') || network.reaches(one, other, 'peer');
  return {
    async probe(address, signal): Promise<Probe> {
      const process = processes.get(address);
      if (passes(from, address) && passes(address, from)) {
        if (process === undefined) return { kind: 'silent', reason: 'connection refused' };
        const { files, frozen } = process;
        if (files !== null && !frozen)
          return { kind: 'answers', clusterId: files.clusterId, memberId: files.memberId };
      }
      await clock.sleep(LIMIT_MS, signal);
      return { kind: 'silent', reason: 'no answer within 1000 ms' };
    },
  };
}

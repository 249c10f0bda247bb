import { execFile } from 'node:child_process';
import type { Sandbox } from '../../src/sandbox/sandbox.ts';

/* What the sandbox's own cuts do not do: packets dropped in one direction, or some of them, in a machine's own filter. */

/** `in`: an instance hears nothing of its peers; `out`: they hear nothing of it. */
export type Direction = 'in' | 'out';

/** Drops every packet between an instance and its peers that goes one way, until it is mended. AWS stays reachable. */
export async function cutOneWay(sandbox: Sandbox, instanceId: string, direction: Direction): Promise<void> {
  const [chain, side] = direction === 'in' ? (['INPUT', '-s'] as const) : (['OUTPUT', '-d'] as const);
  const { ours, all } = networks(sandbox);
  await replaceFilter(sandbox, instanceId, [
    `-A ${chain} ${side} ${ours} -j ACCEPT`,
    `-A ${chain} ${side} ${all} -j DROP`,
  ]);
}

/** Cuts an instance off from all its peers but one, those that are still to come as well, until it is mended. */
export async function leaveOnly(sandbox: Sandbox, instanceId: string, peer: string): Promise<void> {
  const { ours, all } = networks(sandbox);
  await replaceFilter(sandbox, instanceId, [
    ...[ours, peer].flatMap((net) => [`-A INPUT -s ${net} -j ACCEPT`, `-A OUTPUT -d ${net} -j ACCEPT`]),
    `-A INPUT -s ${all} -j DROP`,
    `-A OUTPUT -d ${all} -j DROP`,
  ]);
}

/** Drops so many of the packets that arrive at an instance, whoever sends them (0 to 1), until it is mended. */
export async function losePackets(sandbox: Sandbox, instanceId: string, part: number): Promise<void> {
  const { all } = networks(sandbox);
  const some = `-m statistic --mode random --probability ${part}`;
  await replaceFilter(sandbox, instanceId, [`-A INPUT -s ${all} ${some} -j DROP`]);
}

/** Takes back what was done to an instance here or by the sandbox's cuts. */
export async function mend(sandbox: Sandbox, instanceId: string): Promise<void> {
  await replaceFilter(sandbox, instanceId, []);
}

/** Sends what an instance says to this address and port to one of the test's own. Only for connections made later. */
export async function divert(
  sandbox: Sandbox,
  instanceId: string,
  from: { readonly address: string; readonly port: number },
  to: { readonly address: string; readonly port: number },
): Promise<void> {
  const which = `-p tcp -d ${from.address} --dport ${from.port}`;
  const rule = `-t nat -A OUTPUT ${which} -j DNAT --to-destination ${to.address}:${to.port}`;
  await iptables(sandbox, instanceId, 'iptables', ['-w', ...rule.split(' ')]);
}

/** The addresses that are the sandbox's and the test's own, and all of them. */
function networks({ addresses }: Sandbox): { readonly ours: string; readonly all: string } {
  const [first = '', second = ''] = addresses.dns.address.split('.');
  return { ours: `${first}.${second}.0.0/24`, all: `${first}.${second}.0.0/16` };
}

async function replaceFilter(sandbox: Sandbox, instanceId: string, rules: readonly string[]): Promise<void> {
  const policies = ['INPUT', 'FORWARD', 'OUTPUT'].map((chain) => `:${chain} ACCEPT [0:0]`);
  const own = ['-A INPUT -i lo -j ACCEPT', '-A OUTPUT -o lo -j ACCEPT'];
  const lines = ['*filter', ...policies, ...own, ...rules, 'COMMIT', ''];
  await iptables(sandbox, instanceId, 'iptables-restore', ['-w'], lines.join('\n'));
}

async function iptables(
  { addresses }: Sandbox,
  instanceId: string,
  program: string,
  args: readonly string[],
  input = '',
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const where = `--net=/run/netns/${addresses.hub ?? ''}-${instanceId}`;
  const child = execFile('nsenter', [where, '--', program, ...args], (error) => {
    if (error === null) resolve();
    else reject(error);
  });
  // Who reads nothing may have ended before it is told that there is nothing.
  child.stdin?.on('error', () => undefined).end(input);
  await promise;
}

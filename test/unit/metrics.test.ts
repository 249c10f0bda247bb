import { expect, test } from 'vitest';
import { createMetrics } from '../../src/http/metrics.ts';

/** The appliance's own series of a page, by name and labels. */
async function seriesOf(metrics: ReturnType<typeof createMetrics>): Promise<Map<string, number>> {
  const { text } = await metrics.page();
  const lines = text.split('\n').filter((line) => line.startsWith('etcd_appliance_'));
  return new Map(lines.map((line) => [line.replace(/ \S+$/, ''), Number(/ (\S+)$/.exec(line)?.[1])]));
}

test('counts what happens, by its labels', async () => {
  const metrics = createMetrics({ version: '1.2.3' });
  metrics.planned('evict-dead');
  metrics.planned('evict-dead');
  metrics.acted('evict', 'done');
  metrics.restarted();
  metrics.evicted();
  metrics.dnsWritten('conflict');
  metrics.ticked('housekeeper', 0.2);
  metrics.awsCalled('route53', 'ListResourceRecordSets', 'throttled', 0.3);
  const series = await seriesOf(metrics);
  expect(Object.fromEntries(series)).toMatchObject({
    'etcd_appliance_build_info{version="1.2.3"}': 1,
    'etcd_appliance_plan_reasons_total{code="evict-dead"}': 2,
    'etcd_appliance_actions_total{kind="evict",result="done"}': 1,
    etcd_appliance_etcd_restarts_total: 1,
    etcd_appliance_evictions_total: 1,
    'etcd_appliance_dns_writes_total{result="conflict"}': 1,
    'etcd_appliance_tick_duration_seconds_sum{loop="housekeeper"}': 0.2,
    'etcd_appliance_aws_call_duration_seconds_count{service="route53",action="ListResourceRecordSets",result="throttled"}': 1,
  });
});

test('the state is set as a whole: a member that left has no series', async () => {
  const metrics = createMetrics({ version: '1' });
  metrics.sampled({
    ready: true,
    leader: true,
    claim: 'forming',
    members: new Map([
      ['i-0a', true],
      ['i-0b', false],
    ]),
    etcdVersion: '3.4.39',
    upgrade: { code: 'upgrade-step', moves: true },
  });
  expect((await seriesOf(metrics)).get('etcd_appliance_upgrade_state{code="upgrade-step"}')).toBe(1);
  metrics.sampled({
    ready: false,
    leader: false,
    claim: 'formed',
    members: new Map([['i-0c', true]]),
    etcdVersion: '3.5.35',
    upgrade: { code: 'upgrade-auth', moves: false },
  });
  const series = await seriesOf(metrics);
  expect(series.get('etcd_appliance_claim_state{state="forming"}')).toBe(0);
  expect(series.get('etcd_appliance_claim_state{state="formed"}')).toBe(1);
  expect(series.get('etcd_appliance_ready')).toBe(0);
  expect(series.get('etcd_appliance_leader')).toBe(0);
  expect([...series.keys()].filter((name) => name.includes('member_healthy'))).toEqual([
    'etcd_appliance_member_healthy{instance="i-0c"}',
  ]);
  expect([...series].filter(([name]) => /etcd_version_info|upgrade_state/.test(name))).toEqual([
    ['etcd_appliance_etcd_version_info{version="3.5.35"}', 1],
    ['etcd_appliance_upgrade_state{code="upgrade-auth"}', 2],
  ]);
});

test('two appliances in one process do not share a registry, and each shows its process', async () => {
  const first = createMetrics({ version: '1' });
  const second = createMetrics({ version: '2' });
  first.evicted();
  expect((await seriesOf(second)).get('etcd_appliance_evictions_total')).toBe(0);
  const { text, contentType } = await second.page();
  expect(text).toContain('process_resident_memory_bytes');
  expect(contentType).toContain('text/plain');
});

test('labels cannot break the page', async () => {
  const metrics = createMetrics({ version: '1' });
  metrics.planned('a"b\nc\\');
  const { text } = await metrics.page();
  expect(text).toContain(String.raw`etcd_appliance_plan_reasons_total{code="a\"b\nc\\"} 1`);
});

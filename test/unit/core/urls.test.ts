import { describe, expect, it } from 'vitest';
import { clientUrl, hostOf, peerUrl } from '../../../src/core/urls.ts';

describe('urls', () => {
  it('are what etcd advertises', () => {
    expect([clientUrl('10.0.0.1'), peerUrl('10.0.0.1')]).toEqual([
      'http://10.0.0.1:2379',
      'http://10.0.0.1:2380',
    ]);
  });

  it.each([
    ['http://10.0.0.1:2380', '10.0.0.1'],
    ['https://etcd.example.org:2380/path', 'etcd.example.org'],
    ['http://host/path', 'host'],
    ['http://[2001:db8::1]:2380', '[2001:db8::1]'],
    ['unix:10.0.0.1', ''],
    ['10.0.0.1:2380', ''],
    ['10.0.0.1 http://10.0.0.2:2380', ''],
    ['9://10.0.0.1', ''],
    ['', ''],
  ])('%s has the host "%s"', (url, host) => {
    expect(hostOf(url)).toBe(host);
  });
});

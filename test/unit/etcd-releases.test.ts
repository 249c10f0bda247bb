import { describe, expect, test } from 'vitest';
import { newestBinary, pickBinary } from '../../src/etcd/binaries.ts';
import { defaultEtcdDirectory } from '../../src/etcd/layout.ts';
import { etcdEnvironment } from '../../src/etcd/environment.ts';
import { clusterIdOf, decimalId, hexId, memberIdOf } from '../../src/etcd/ids.ts';
import {
  compareVersions,
  NEWEST_PATCH,
  parseWanted,
  refusedRelease,
  releasePlatform,
} from '../../src/etcd/releases.ts';

describe('versions', () => {
  test('are read as minor or version', () => {
    expect(parseWanted('3.5')).toEqual({ minor: '3.5', version: null });
    expect(parseWanted('v3.5.35')).toEqual({ minor: '3.5', version: '3.5.35' });
    for (const text of ['', '3', '3.3', '3.8', '3.5.x', '3.5.1-rc.0', 'newest', '3.50']) {
      expect(parseWanted(text)).toBeNull();
    }
  });

  test('are ordered as numbers', () => {
    expect(['3.5.9', '3.5.35', '3.4.45', '3.10.0'].toSorted(compareVersions)).toEqual([
      '3.4.45',
      '3.5.9',
      '3.5.35',
      '3.10.0',
    ]);
  });

  test('that lose data are refused', () => {
    expect(refusedRelease('3.5.0')).toContain('13766');
    expect(refusedRelease('3.5.2')).toContain('13766');
    expect(refusedRelease('3.5.4')).toContain('14370');
    expect(refusedRelease('3.5.5')).toContain('14733');
    expect(refusedRelease('3.4.20')).toContain('3.4.21 or later');
    for (const version of ['3.4.23', '3.5.6', '3.6.0', ...Object.values(NEWEST_PATCH)]) {
      expect(refusedRelease(version)).toBeNull();
    }
  });

  test('are picked by version, or the newest of a minor', () => {
    const binaries = ['3.5.9', '3.5.35', '3.6.16'].map((version) => ({
      version,
      minor: version.slice(0, 3),
      directory: '',
      etcd: '',
      etcdctl: '',
      etcdutl: null,
    }));
    expect(pickBinary(binaries, '3.5')?.version).toBe('3.5.35');
    expect(pickBinary(binaries, '3.5.9')?.version).toBe('3.5.9');
    expect(pickBinary(binaries, '3.7')).toBeNull();
    expect(newestBinary(binaries)?.version).toBe('3.6.16');
    expect(newestBinary([])).toBeNull();
  });

  test('exist for some machines', () => {
    expect(releasePlatform('linux', 'x64')).toEqual({ ok: true, name: 'linux-amd64' });
    expect(releasePlatform('linux', 'arm64')).toEqual({ ok: true, name: 'linux-arm64' });
    expect(releasePlatform('darwin', 'arm64')).toMatchObject({
      ok: false,
      reason: expect.stringContaining('zip'),
    });
    expect(releasePlatform('linux', 'mips')).toMatchObject({ ok: false });
  });

  test('are kept in /opt/etcd, else in a cache', () => {
    expect(defaultEtcdDirectory('/home/a', '/var/cache', true)).toBe('/opt/etcd');
    expect(defaultEtcdDirectory('/home/a', '/var/cache', false)).toBe('/var/cache/etcd-appliance/etcd');
    expect(defaultEtcdDirectory('/home/a', undefined, false)).toBe('/home/a/.cache/etcd-appliance/etcd');
    expect(defaultEtcdDirectory('/home/a', '', false)).toBe('/home/a/.cache/etcd-appliance/etcd');
  });
});

describe('ids', () => {
  test('do not depend on the order of URLs and founders, and do on the token', () => {
    const urls = ['http://10.0.0.2:2380', 'http://10.0.0.1:2380'];
    expect(memberIdOf(urls, 't')).toBe(memberIdOf(urls.toReversed(), 't'));
    const founders = urls.map((url) => [url]);
    expect(clusterIdOf(founders, 't')).toBe(clusterIdOf(founders.toReversed(), 't'));
    expect(clusterIdOf(founders, 't')).not.toBe(clusterIdOf(founders, 'u'));
    expect(memberIdOf(['http://10.0.0.1:2380'], 't')).toMatch(/^[0-9a-f]{16}$/);
  });

  test('go from decimal to hex and back, padded', () => {
    expect(hexId('65535')).toBe('000000000000ffff');
    expect(decimalId('000000000000ffff')).toBe('65535');
    expect(decimalId(hexId('18446744073709551615'))).toBe('18446744073709551615');
  });
});

test("etcd's environment holds nothing that it would take as a flag, nor secrets", () => {
  const own = { PATH: '/bin', ETCD_NAME: 'x', HTTPS_PROXY: 'x', AWS_SECRET_ACCESS_KEY: 'x', TZ: undefined };
  expect(etcdEnvironment(own)).toEqual({ PATH: '/bin' });
});

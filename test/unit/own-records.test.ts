import { expect, test } from 'vitest';
import { ownRecords } from '../../src/core/own-records.ts';
import type { RecordSet } from '../../src/core/records.ts';

const record = (type: RecordSet['type'], name: string): RecordSet => ({ name, type, ttl: 60, values: ['x'] });

test('takes every kind of record that the appliances write, and no other', () => {
  const ours = [
    record('A', 'demo.example.org'),
    record('A', 'etcd-server.demo.example.org'),
    record('A', 'i-0123456789abcdef0.demo.example.org'),
    record('SRV', '_etcd-server._tcp.demo.example.org'),
    record('SRV', '_etcd._tcp.demo.example.org'),
    record('SRV', '_etcd-client._tcp.demo.example.org'),
    record('SRV', '_etcd-client-ssl._tcp.demo.example.org'),
    record('SRV', '_etcd-server-ssl._tcp.demo.example.org'),
    record('SRV', '_etcd-ssl._tcp.demo.example.org'),
    record('TXT', '_etcd-cluster.demo.example.org'),
    record('TXT', '_etcd-start.i-0123456789abcdef0.demo.example.org'),
  ];
  const others = [
    record('TXT', 'demo.example.org'),
    record('A', 'www.demo.example.org'),
    record('A', 'i-01.demoXexample.org'),
    record('A', 'i-01.other.demo.example.org'),
    record('A', '_etcd-cluster.demo.example.org'),
    record('SRV', '_sip._tcp.demo.example.org'),
    record('TXT', '_etcd-start.x.demo.example.org'),
    record('TXT', '_etcd-cluster.other.example.org'),
    record('A', 'i-01.demo.exampleXorg'),
    record('A', 'xi-01.demo.example.org'),
    record('A', 'i-01.demo.example.org.net'),
    record('TXT', 'x_etcd-start.i-01.demo.example.org'),
    record('TXT', '_etcd-start.i-01.demo.example.org.net'),
    record('TXT', '_etcd-startXi-01.demo.example.org'),
    record('TXT', '_etcd-start.i-01.demo.exampleXorg'),
    record('TXT', '_etcd-start.i-.demo.example.org'),
    record('A', 'i-.demo.example.org'),
  ];
  expect(ownRecords('demo.example.org', [...others, ...ours])).toEqual(ours);
});

import { isIPv4, isIPv6 } from 'node:net';
import { isDnsName } from './names.ts';

const MAX_VALUE_LENGTH = 4_000;
const MAX_STRING_LENGTH = 255;

export const RECORD_TYPES = ['A', 'AAAA', 'CNAME', 'MX', 'NS', 'SOA', 'SRV', 'TXT'] as const;
export type RecordType = (typeof RECORD_TYPES)[number];

export function isRecordType(type: string): type is RecordType {
  return RECORD_TYPES.some((known) => known === type);
}

/** The strings of a TXT value with quotes and escapes taken off; null where it is not a list of quoted strings. */
export function txtStrings(value: string): readonly string[] | null {
  if (!/^\s*"(?:[^"\\]|\\.)*"(?:\s*"(?:[^"\\]|\\.)*")*\s*$/s.test(value)) return null;
  return [...value.matchAll(/"((?:[^"\\]|\\.)*)"/gs)].map((match) =>
    (match[1] ?? '').replace(
      /\\(?:([0-7]{3})|(.))/gs,
      (_, octal: string | undefined, char: string | undefined) =>
        octal === undefined ? (char ?? '') : String.fromCharCode(Number.parseInt(octal, 8)),
    ),
  );
}

export interface SrvValue {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  readonly target: string;
}

/** The four fields of an SRV value; null where they are not that. */
export function srvValue(value: string): SrvValue | null {
  const match = /^(\d{1,5}) (\d{1,5}) (\d{1,5}) (\S+)$/.exec(value);
  if (match === null) return null;
  const [priority = 0, weight = 0, port = 0] = match.slice(1, 4).map(Number);
  const target = match[4] ?? '';
  if (Math.max(priority, weight, port) > 65_535) return null;
  if (target !== '.' && !isDnsName(target.endsWith('.') ? target : `${target}.`)) return null;
  return { priority, weight, port, target };
}

function isHostValue(value: string): boolean {
  return /^[A-Za-z0-9._*\\-]+$/.test(value) && isDnsName(value.endsWith('.') ? value : `${value}.`);
}

/** What is wrong with a value, as the code in Route 53's `FATAL problem: CODE (…)`; null where nothing is. */
function fatalProblem(type: RecordType, value: string): string | null {
  switch (type) {
    case 'A':
      return isIPv4(value) ? null : 'ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address)';
    case 'AAAA':
      return isIPv6(value) ? null : 'AAAARRDATAIllegalIPv6Address (Value is not a valid IPv6 address)';
    case 'SRV':
      return srvValue(value) === null
        ? 'SRVRRDATANotFourFields (Value must be a priority, a weight, a port and a domain name)'
        : null;
    case 'TXT': {
      const strings = txtStrings(value);
      if (strings === null) return 'InvalidCharacterString (Value should be enclosed in quotation marks)';
      return strings.some((part) => Buffer.byteLength(part, 'latin1') > MAX_STRING_LENGTH)
        ? 'CharacterStringTooLong (Value is too long)'
        : null;
    }
    case 'CNAME':
    case 'NS':
      return isHostValue(value) ? null : 'DomainNameInvalid (Value is not a valid domain name)';
    case 'MX':
      return /^\d{1,5} \S+$/.test(value) ? null : 'MXRRDATANotTwoFields (MX record does not have 2 fields)';
    case 'SOA':
      return value.split(' ').length === 7
        ? null
        : 'SOARRDATANotSevenFields (SOA record does not have 7 fields)';
  }
}

/** Route 53's sentence about a bad value; null for a good one. */
export function valueProblem(type: RecordType, value: string): string | null {
  const problem =
    value.length > MAX_VALUE_LENGTH ? `${type}RRDATATooLong (Value is too long)` : fatalProblem(type, value);
  return problem === null
    ? null
    : `Invalid Resource Record: 'FATAL problem: ${problem} encountered with '${value}''`;
}

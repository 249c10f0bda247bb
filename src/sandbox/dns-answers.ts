import type { Answer, Packet, Question, SoaAnswer } from 'dns-packet';
import type { RecordSnapshot } from './model.ts';
import { isWithin, plainName } from './names.ts';
import { srvValue, txtStrings } from './record-values.ts';
import type { HostedZone, World } from './world.ts';

const AUTHORITATIVE = 1 << 10;
const RECURSION_DESIRED = 1 << 8;
const NOT_IMPLEMENTED = 4;
const NXDOMAIN = 3;
const REFUSED = 5;
const MAX_ALIASES = 8;

function soaOf(zone: HostedZone): SoaAnswer {
  const record = zone.records.get(`${zone.name} SOA`);
  const [mname = '', rname = '', ...numbers] = (record?.values[0] ?? '').split(' ');
  const [serial = 1, refresh = 7200, retry = 900, expire = 1_209_600, minimum = 86_400] = numbers.map(Number);
  const data = { mname: bare(mname), rname: bare(rname), serial, refresh, retry, expire, minimum };
  return { type: 'SOA', name: bare(zone.name), ttl: record?.ttl ?? 900, data };
}

/** dns-packet writes names without the trailing dot. */
function bare(name: string): string {
  return name.replace(/\.$/, '');
}

/** One value of a record set as the library wants it. */
function answerOf(zone: HostedZone, record: RecordSnapshot, value: string, name: string): Answer | null {
  const { ttl } = record;
  switch (record.type) {
    case 'A':
    case 'AAAA':
      return { type: record.type, name, ttl, data: value };
    case 'CNAME':
    case 'NS':
      return { type: record.type, name, ttl, data: bare(value) };
    case 'MX': {
      const [preference = '0', exchange = ''] = value.split(' ');
      return { type: 'MX', name, ttl, data: { preference: Number(preference), exchange: bare(exchange) } };
    }
    case 'SRV': {
      const srv = srvValue(value);
      return srv === null ? null : { type: 'SRV', name, ttl, data: { ...srv, target: bare(srv.target) } };
    }
    case 'TXT': {
      const strings = (txtStrings(value) ?? []).map((text) => Buffer.from(text, 'latin1'));
      return { type: 'TXT', name, ttl, data: strings };
    }
    case 'SOA':
      return { ...soaOf(zone), name };
    default:
      return null;
  }
}

function answersOf(zone: HostedZone, record: RecordSnapshot, name: string): readonly Answer[] {
  return record.values
    .map((value) => answerOf(zone, record, value, name))
    .filter((answer): answer is Answer => answer !== null);
}

/** The zone that is nearest above a name; of two of the same name the private one, as a VPC's resolver sees it. */
function zoneOf(world: World, name: string): HostedZone | null {
  const zones = [...world.zones.values()].filter((zone) => isWithin(name, zone.name));
  return zones.reduce<HostedZone | null>((best, zone) => {
    if (best === null || zone.name.length > best.name.length) return zone;
    return zone.name === best.name && zone.private && !best.private ? zone : best;
  }, null);
}

/** The record sets of a name: its own, else those of the wildcard beside its nearest existing parent; null where the name does not exist. */
function setsAt(zone: HostedZone, name: string): readonly RecordSnapshot[] | null {
  const records = [...zone.records.values()];
  const own = records.filter((record) => record.name === name);
  if (own.length > 0) return own;
  const exists = (at: string): boolean => records.some((record) => isWithin(record.name, at));
  // A name above others exists, too: no data is not no such name.
  if (exists(name)) return [];
  let parent = name;
  do parent = parent.slice(parent.indexOf('.') + 1);
  while (!exists(parent));
  const wild = records.filter((record) => record.name === `*.${parent}`);
  return wild.length > 0 ? wild : null;
}

interface Found {
  readonly answers: readonly Answer[];
  /** False where the name of the question, or the end of its aliases within the zone, does not exist. */
  readonly exists: boolean;
}

function find(zone: HostedZone, type: string, asked: string, depth = 0): Found {
  const name = plainName(asked);
  const sets = setsAt(zone, name);
  if (sets === null) return { answers: [], exists: false };
  const wanted = sets.filter((record) => type === 'ANY' || record.type === type);
  const answers = wanted.flatMap((record) => answersOf(zone, record, asked));
  const alias = sets.find((record) => record.type === 'CNAME');
  if (alias === undefined || answers.length > 0) return { answers, exists: true };
  const target = bare(alias.values[0] ?? '');
  const first = answersOf(zone, alias, asked);
  if (depth >= MAX_ALIASES || !isWithin(plainName(target), zone.name))
    return { answers: first, exists: true };
  const rest = find(zone, type, target, depth + 1);
  return { answers: [...first, ...rest.answers], exists: rest.exists };
}

/** Addresses of the SRV targets that lie in the zone. */
function additionalOf(zone: HostedZone, answers: readonly Answer[]): readonly Answer[] {
  const targets = new Set(answers.flatMap((answer) => (answer.type === 'SRV' ? [answer.data.target] : [])));
  return [...targets].flatMap((target) => [
    ...find(zone, 'A', target).answers,
    ...find(zone, 'AAAA', target).answers,
  ]);
}

function reply(query: Packet, flags: number, more: Partial<Packet> = {}): Packet {
  return {
    type: 'response',
    id: query.id ?? 0,
    flags: flags | ((query.flags ?? 0) & RECURSION_DESIRED),
    questions: query.questions ?? [],
    ...more,
  };
}

function answerQuestion(world: World, query: Packet, question: Question): Packet {
  const zone = zoneOf(world, plainName(question.name));
  if (zone === null) return reply(query, REFUSED);
  const { answers, exists } = find(zone, question.type, question.name);
  const flags = AUTHORITATIVE | (exists ? 0 : NXDOMAIN);
  if (answers.length === 0 || !exists) {
    return reply(query, flags, { answers: [...answers], authorities: [soaOf(zone)] });
  }
  return reply(query, flags, { answers: [...answers], additionals: [...additionalOf(zone, answers)] });
}

/** The answer of an authoritative server of all hosted zones to one query; REFUSED for names of other zones. */
export function answerQuery(world: World, query: Packet): Packet {
  const [question, ...others] = query.questions ?? [];
  const opcode = ((query.flags ?? 0) >> 11) & 0xf;
  if (question === undefined || others.length > 0 || opcode !== 0) return reply(query, NOT_IMPLEMENTED);
  return answerQuestion(world, query, question);
}

import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import dnsPacket, { type Packet } from 'dns-packet';
import { answerQuery } from './dns-answers.ts';
import type { Store } from './world.ts';

export interface Listening {
  readonly host: string;
  readonly port: number;
}

export interface DnsServer {
  /** Binds UDP and TCP on the same port; 0 takes a free one. */
  readonly start: (at: Listening) => Promise<Listening>;
  readonly close: () => Promise<void>;
}

const PLAIN_UDP_BYTES = 512;
const LARGEST_UDP_BYTES = 4096;
/** The length before a message has two bytes. */
const LARGEST_TCP_BYTES = 65_535;
const HEADER_BYTES = 12;
/** In the third byte: the message is an answer. */
const RESPONSE = 0x80;
const MOST_CONNECTIONS = 100;
const IDLE_CONNECTION_MS = 10_000;
const TRUNCATED = 1 << 9;
const FORMAT_ERROR = 1;
const SERVER_FAILURE = 2;
/** TCP and UDP want the same free port: another process may hold one of the two. */
const PORT_TRIES = 10;

/** How much the asker takes over UDP: what its EDNS option says, else 512 bytes. */
function udpLimit(query: Packet): number {
  const option = query.additionals?.find((record) => record.type === 'OPT');
  const size = option?.type === 'OPT' ? option.udpPayloadSize : PLAIN_UDP_BYTES;
  return Math.min(LARGEST_UDP_BYTES, Math.max(PLAIN_UDP_BYTES, size));
}

function withEdns(query: Packet, answer: Packet): Packet {
  if (query.additionals?.some((record) => record.type === 'OPT') !== true) return answer;
  const option = {
    type: 'OPT' as const,
    name: '.',
    udpPayloadSize: LARGEST_UDP_BYTES,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options: [],
  };
  return { ...answer, additionals: [...(answer.additionals ?? []), option] };
}

/** An answer that is longer than the limit goes without its records and says so; additional records are dropped first. */
function encodeWithin(limit: number, query: Packet, answer: Packet): Buffer {
  const whole = dnsPacket.encode(withEdns(query, answer));
  if (whole.length <= limit) return whole;
  const lean = dnsPacket.encode(withEdns(query, { ...answer, additionals: [] }));
  if (lean.length <= limit) return lean;
  const flags = (answer.flags ?? 0) | TRUNCATED;
  return dnsPacket.encode(
    withEdns(query, { ...answer, flags, answers: [], additionals: [], authorities: [] }),
  );
}

function failed(message: Buffer, rcode: number): Buffer {
  return dnsPacket.encode({ type: 'response', id: message.readUInt16BE(0), flags: rcode, questions: [] });
}

/** Whether it could be a query. What is not gets no answer: two servers that answered answers would never stop. */
function isQuery(message: Buffer): boolean {
  return message.length >= HEADER_BYTES && (message.readUInt8(2) & RESPONSE) === 0;
}

/** Where the first of length-prefixed messages ends; null: it has not come whole. */
function endOfFirst(bytes: Buffer): number | null {
  if (bytes.length < 2) return null;
  const end = 2 + bytes.readUInt16BE(0);
  return bytes.length < end ? null : end;
}

/**
 * Reads length-prefixed queries off a stream and writes the answers. As long as answers wait to be read nothing is read,
 * so that a client that only asks cannot fill the memory.
 */
function serveStream(socket: Socket, answer: (message: Buffer) => Buffer | null): void {
  let pending = Buffer.alloc(0);
  const work = (): void => {
    while (!socket.writableNeedDrain) {
      const end = endOfFirst(pending);
      if (end === null) break;
      const reply = answer(pending.subarray(2, end));
      pending = pending.subarray(end);
      if (reply === null) continue;
      const length = Buffer.alloc(2);
      length.writeUInt16BE(reply.length);
      socket.write(Buffer.concat([length, reply]));
    }
    if (socket.writableNeedDrain) socket.pause();
    else socket.resume();
  };
  socket.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    work();
  });
  socket.on('drain', work);
  socket.on('error', () => undefined);
  socket.setTimeout(IDLE_CONNECTION_MS, () => socket.destroy());
}

/** The authoritative DNS server of the hosted zones; it reads Route 53's state as it is at each query. */
export function createDnsServer(store: Store): DnsServer {
  const sockets = new Set<Socket>();
  let udp: UdpSocket | null = null;
  let tcp: Server | null = null;

  /** Null for what gets no answer. */
  const answer = (message: Buffer, limitOf: (query: Packet) => number): Buffer | null => {
    if (!isQuery(message)) return null;
    let query: Packet;
    try {
      query = dnsPacket.decode(message);
    } catch {
      return failed(message, FORMAT_ERROR);
    }
    try {
      return encodeWithin(limitOf(query), query, answerQuery(store.world(), query));
    } catch {
      return failed(message, SERVER_FAILURE);
    }
  };

  const onDatagram = (socket: UdpSocket, message: Buffer, from: RemoteInfo): void => {
    const reply = answer(message, udpLimit);
    // Without a callback a failed send is an error event on the socket; the asker may be gone, which is no error of ours.
    if (reply !== null) socket.send(reply, from.port, from.address, () => undefined);
  };

  const onConnection = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    serveStream(socket, (message) => answer(message, () => LARGEST_TCP_BYTES));
  };

  const bindBoth = async (at: Listening): Promise<Listening> => {
    const server = createServer(onConnection);
    server.maxConnections = MOST_CONNECTIONS;
    server.listen(at.port, at.host);
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : at.port;
    const socket = createSocket('udp4');
    try {
      socket.bind(port, at.host);
      await once(socket, 'listening');
    } catch (error) {
      socket.close();
      server.close();
      throw error;
    }
    socket.on('error', () => undefined);
    socket.on('message', (message, from) => {
      onDatagram(socket, message, from);
    });
    udp = socket;
    tcp = server;
    return { host: at.host, port };
  };

  return {
    async start(at) {
      for (let attempt = 1; ; attempt += 1) {
        try {
          return await bindBoth(at);
        } catch (error) {
          if (at.port === 0 && attempt < PORT_TRIES) continue;
          const where = `${at.host}:${String(at.port)}`;
          throw new Error(`cannot serve DNS on ${where}: free that address or choose another`, {
            cause: error,
          });
        }
      }
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      const closing: Promise<unknown>[] = [];
      if (udp !== null) closing.push(once(udp, 'close'), Promise.resolve(udp.close()));
      if (tcp !== null) closing.push(once(tcp, 'close'), Promise.resolve(tcp.close()));
      udp = null;
      tcp = null;
      await Promise.all(closing);
    },
  };
}

import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { closeServer, listen } from './listen.ts';

export interface Place {
  readonly host: string;
  readonly port: number;
}

/** What the network does with a connection now. */
export interface Way {
  /** Whether a new connection is let through; while it is not, it waits for an answer that does not come. */
  readonly opens: boolean;
  /** Whether anything of one that was let through arrives. */
  readonly carries: boolean;
  /** How long everything takes in one direction. */
  readonly delayMs: number;
  /** The address that the other side sees; null for our own. */
  readonly from: string | null;
}

export interface ForwarderOptions {
  /** Where it listens; port 0 takes a free one. */
  readonly at: Place;
  readonly to: Place;
  /** Called once for each connection; what it gives is asked whenever something is to be done with it. */
  readonly wayOf: (client: Socket) => Promise<() => Way>;
  /** After how long a connection that nobody answers is asked for again, in ms; each time after that twice as long. Default: 1 s. */
  readonly firstRetryMs?: number;
}

export interface Forwarder {
  readonly port: number;
  /** Looks again at what is carried, after the network has changed. */
  readonly look: () => void;
  /** Ends all connections at once, as a machine's end does. */
  readonly close: () => Promise<void>;
}

/** When TCP asks again for a connection that nobody answers: RFC 6298 with Linux's first second. */
const FIRST_RETRY_MS = 1_000;
/** How often Linux asks (net.ipv4.tcp_syn_retries, and the first time): after 127 s in all it gives up. */
const MOST_TRIES = 7;
/** What waits in one direction before no more is read; more than any message of etcd. */
const MOST_WAITING_BYTES = 4 * 1024 * 1024;

/** Carries TCP connections from one address to another, with the delays and the silences of the network in between. */
export async function startForwarder(options: ForwarderOptions): Promise<Forwarder> {
  const links = new Set<Link>();
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true }, (client) => {
    client.on('error', () => undefined);
    // Who is gone before it is known who he was needs no way any more.
    const begin = (way: () => Way): void => {
      if (client.destroyed || !server.listening) return void client.destroy();
      const link = new Link(client, options.to, way);
      links.add(link);
      client.on('close', () => links.delete(link));
      link.open(options.firstRetryMs ?? FIRST_RETRY_MS);
    };
    options
      .wayOf(client)
      .then(begin)
      .catch(() => client.destroy());
  });
  await listen(server, options.at);
  const { port } = server.address() as AddressInfo;
  return {
    port,
    look: () => {
      for (const link of links) link.look();
    },
    close: async () => {
      const closed = closeServer(server);
      for (const link of links) link.end();
      await closed;
    },
  };
}

/** One connection: its client waits until the way is open, then both sides hear each other, late. */
class Link {
  readonly #client: Socket;
  readonly #to: Place;
  readonly #way: () => Way;
  #target: Socket | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(client: Socket, to: Place, way: () => Way) {
    this.#client = client;
    this.#to = to;
    this.#way = way;
    client.on('close', () => this.#stopWaiting());
  }

  /**
   * Takes the way if it is open, and else looks again when TCP would ask again. Who waits is not read, so that nothing tells
   * that it went: it is held no longer than Linux would ask.
   */
  open(retryMs: number, triesLeft = MOST_TRIES): void {
    const { opens, carries, delayMs } = this.#way();
    if (opens && carries) {
      // There and back: only then a client knows that it is connected, and says something.
      this.#after(2 * delayMs, () => this.#connect(delayMs));
    } else {
      const more = triesLeft > 1;
      this.#after(retryMs, () => (more ? this.open(2 * retryMs, triesLeft - 1) : this.#giveUp()));
    }
  }

  look(): void {
    if (this.#target === null) return;
    for (const socket of [this.#client, this.#target]) this.#read(socket);
  }

  /** The machine is gone: so is whatever was connected to it. */
  end(): void {
    this.#stopWaiting();
    this.#client.destroy();
    this.#target?.destroy();
  }

  /** As near to "no answer" as one can come who has taken the connection already: an error, not an end. */
  #giveUp(): void {
    this.#client.resetAndDestroy();
  }

  #connect(delayMs: number): void {
    const { from } = this.#way();
    const target = connect({
      ...this.#to,
      ...(from === null ? {} : { localAddress: from }),
      allowHalfOpen: true,
      noDelay: true,
    });
    this.#target = target;
    target.on('error', () => undefined);
    this.#carry(this.#client, target, delayMs);
    this.#carry(target, this.#client, delayMs);
    this.look();
  }

  /** What is said, the end of it and a broken connection all come over so much later, in their order. */
  #carry(from: Socket, to: Socket, delayMs: number): void {
    const late = (run: () => void): void => {
      if (delayMs === 0) run();
      else setTimeout(run, delayMs);
    };
    from.on('data', (chunk: Buffer) => {
      late(() => {
        if (to.destroyed || to.write(chunk) || to.writableLength < MOST_WAITING_BYTES) return;
        from.pause();
        to.once('drain', () => this.#read(from));
      });
    });
    from.on('end', () => late(() => to.end()));
    from.on('close', (broken) => late(() => (broken ? to.resetAndDestroy() : to.end())));
  }

  /** Reads on, unless nothing is carried: what was sent then comes when it is again, as TCP sends it again. */
  #read(socket: Socket): void {
    if (this.#way().carries) socket.resume();
    else socket.pause();
  }

  #after(ms: number, run: () => void): void {
    this.#timer = setTimeout(run, ms);
  }

  #stopWaiting(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
  }
}

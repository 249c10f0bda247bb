import { CLIENT_PORT, PEER_PORT } from './numbers.ts';

/** The URL under which a member at this address advertises itself to clients. */
export function clientUrl(address: string): string {
  return `http://${address}:${CLIENT_PORT}`;
}

/** The URL under which a member at this address advertises itself to its peers. */
export function peerUrl(address: string): string {
  return `http://${address}:${PEER_PORT}`;
}

/** The host of a URL, without a parser that could throw; empty where there is none. */
export function hostOf(url: string): string {
  return /^[a-z]+:\/\/(\[[^\]]*\]|[^:/]*)/.exec(url)?.[1] ?? '';
}

/**
 * Aborted once nobody reads standard output any more, as behind `| head -1`. That shows at the next write: for what would
 * otherwise be followed until somebody interrupts, and not for what has work of its own to end.
 */
export function readerGone(): AbortSignal {
  const gone = new AbortController();
  process.stdout.once('error', () => gone.abort());
  return gone.signal;
}

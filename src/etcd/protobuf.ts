/** A field of a protobuf message: varints by value, length-delimited ones by their bytes; others are skipped. */
export interface Field {
  readonly number: number;
  readonly value: number;
  /** Null unless length-delimited. */
  readonly bytes: Buffer | null;
}

/**
 * The fields of a message, in their order, without a schema. Numbers beyond 2^53 lose precision; those read here (raft
 * indexes, types) never get there. Throws where the bytes are no message.
 */
export function* fields(message: Buffer): Generator<Field> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = message[at];
      if (byte === undefined) break;
      at += 1;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new Error('not a message: a number does not end');
  };
  while (at < message.length) {
    const tag = varint();
    const [number, wire] = [Math.floor(tag / 8), tag % 8];
    if (number === 0) throw new Error('not a message: a field has the number 0');
    if (wire === 0) {
      yield { number, value: varint(), bytes: null };
      continue;
    }
    const length = lengthOf(wire, varint);
    if (at + length > message.length) throw new Error('not a message: a field is cut short');
    yield { number, value: 0, bytes: wire === 2 ? message.subarray(at, at + length) : null };
    at += length;
  }
}

function lengthOf(wire: number, varint: () => number): number {
  if (wire === 2) return varint();
  if (wire === 1) return 8;
  if (wire === 5) return 4;
  throw new Error(`not a message: there is no wire type ${wire}`);
}

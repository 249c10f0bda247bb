/* What a call changes, read off its bytes: so that steps of one name that are about different things have different names. */

/** Of the protobuf of a TxnRequest, and of what it holds down to a key: the numbers of the fields. */
const SUCCESS = 2;
const KEY = 1;

/** The first key that a transaction is to write, where it goes through; of the gRPC message that is sent. Without ids of instances. */
export function keyOfTxn(message: Uint8Array): string {
  // The frame's head: whether it is compressed, and its length.
  const success = fieldsOf(message.subarray(5)).find(({ number }) => number === SUCCESS);
  const [request] = success === undefined ? [] : fieldsOf(success.bytes);
  const key =
    request === undefined ? undefined : fieldsOf(request.bytes).find(({ number }) => number === KEY);
  return withoutIds(Buffer.from(key?.bytes ?? []).toString('utf8'));
}

/** Which records a change of Route 53 is about, by its XML: the claim, names, or both; marks of instances where there are no others. */
export function recordsOfChange(xml: string): string {
  const names = [...xml.matchAll(/<Name>([^<]*)<\/Name>/g)].map(([, name = '']) => name);
  const kinds = names.map((name) =>
    name.startsWith('_etcd-cluster.') ? 'claim' : name.startsWith('_etcd-start.') ? 'marks' : 'names',
  );
  const told = kinds.filter((kind) => kind !== 'marks');
  return [...new Set(told.length > 0 ? told : kinds)].toSorted().join(' and ');
}

function withoutIds(text: string): string {
  return text.replaceAll(/i-[0-9a-f]{8,}/g, '');
}

interface Field {
  readonly number: number;
  readonly bytes: Uint8Array;
}

/** The fields of a message that hold bytes: messages, texts. */
function fieldsOf(message: Uint8Array): readonly Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): number => {
    let [value, shift] = [0, 1];
    for (;;) {
      const byte = message[at] ?? 0;
      at += 1;
      value += (byte & 0x7f) * shift;
      if (byte < 0x80) return value;
      shift *= 128;
    }
  };
  while (at < message.length) {
    const tag = varint();
    const [number, type] = [Math.floor(tag / 8), tag % 8];
    if (type === 0) varint();
    else if (type === 2) {
      const length = varint();
      fields.push({ number, bytes: message.subarray(at, at + length) });
      at += length;
    } else at += type === 1 ? 8 : 4;
  }
  return fields;
}

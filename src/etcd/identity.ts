import type { DataIdentity, KeptStep, LocalMark } from '../core/local-data.ts';

/** An identity as read from disk; null where the value is none, or of a format that this version does not know. */
export function parseIdentity(value: unknown): DataIdentity | null {
  const fields = fieldsOf(value);
  if (fields === null || fields['format'] !== 1) return null;
  const { instanceId, token, epoch, clusterId, memberId, formed, version, register } = fields;
  // Written by an older appliance, it lacks the word: then nothing says that the member had no vote.
  const voter = fields['voter'] !== false;
  if (!isText(instanceId) || !isText(token) || !isText(register)) return null;
  if (typeof epoch !== 'number' || !Number.isInteger(epoch) || typeof formed !== 'boolean') return null;
  if (!isTextOrNull(clusterId) || !isTextOrNull(memberId) || !isTextOrNull(version)) return null;
  const step = parseStep(fields['step']);
  const identity = { instanceId, token, epoch, clusterId, memberId, formed, voter, version, register };
  const { snapshotCount } = fields;
  const clears = typeof snapshotCount === 'number' && Number.isInteger(snapshotCount) && snapshotCount > 0;
  const damaged = fields['damaged'] === true;
  return {
    format: 1,
    ...identity,
    ...(step === null ? {} : { step }),
    ...(clears ? { snapshotCount } : {}),
    ...(damaged ? { damaged } : {}),
  };
}

/** What is no step is none: the version that last ran is run on, as by an older appliance. */
function parseStep(value: unknown): KeptStep | null {
  const { from, to, why } = fieldsOf(value) ?? {};
  return isText(from) && isText(to) && isTextOrNull(why) ? { from, to, why } : null;
}

/** A mark as read from disk; null where the value is none. */
export function parseMark(value: unknown): LocalMark | null {
  const fields = fieldsOf(value);
  if (fields === null) return null;
  const { token, nonce, started } = fields;
  if (!isTextOrNull(token) || !isText(nonce) || typeof started !== 'boolean') return null;
  return { token, nonce, started };
}

/** The note in a folder of data set aside; null where the value is none. */
export function parseNote(value: unknown): { reason: string; at: string; complete: boolean } | null {
  const fields = fieldsOf(value);
  if (fields === null) return null;
  const { reason, at, complete } = fields;
  if (typeof reason !== 'string' || typeof at !== 'string' || typeof complete !== 'boolean') return null;
  return { reason, at, complete };
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : null;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || isText(value);
}

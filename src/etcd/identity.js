/** An identity as read from disk; null where the value is none, or of a format that this version does not know. */
export function parseIdentity(value) {
  const fields = fieldsOf(value);
  if (fields === null || fields['format'] !== 1) return null;
  const { instanceId, token, epoch, clusterId, memberId, formed, version, register } = fields;
  if (!isText(instanceId) || !isText(token) || !isText(register)) return null;
  if (typeof epoch !== 'number' || !Number.isInteger(epoch) || typeof formed !== 'boolean') return null;
  if (!isTextOrNull(clusterId) || !isTextOrNull(memberId) || !isTextOrNull(version)) return null;
  return { format: 1, instanceId, token, epoch, clusterId, memberId, formed, version, register };
}
/** A mark as read from disk; null where the value is none. */
export function parseMark(value) {
  const fields = fieldsOf(value);
  if (fields === null) return null;
  const { token, nonce, started } = fields;
  if (!isText(token) || !isText(nonce) || typeof started !== 'boolean') return null;
  return { token, nonce, started };
}
/** The note in a folder of data set aside; null where the value is none. */
export function parseNote(value) {
  const fields = fieldsOf(value);
  if (fields === null) return null;
  const { reason, at, complete } = fields;
  if (typeof reason !== 'string' || typeof at !== 'string' || typeof complete !== 'boolean') return null;
  return { reason, at, complete };
}
function fieldsOf(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : null;
}
function isText(value) {
  return typeof value === 'string' && value !== '';
}
function isTextOrNull(value) {
  return value === null || isText(value);
}

/**
 * Whether a metric filter's pattern for JSON lines finds a line, by what the user guide of CloudWatch Logs says of the parts
 * that our patterns use: `$.name`, `=` with a string and `*` in it, `IS TRUE`, `IS FALSE`, `&&` before `||`, parentheses.
 * Throws on anything else.
 */
export function finds(pattern: string, line: string): boolean {
  const inner = /^\{(.*)\}$/s.exec(pattern.trim())?.[1];
  if (inner === undefined) throw new Error(`${pattern} is no pattern for JSON`);
  const tokens = inner.match(TOKEN) ?? [];
  if (tokens.join('').length !== inner.replaceAll(OUTSIDE_OF_STRINGS, '').length) {
    throw new Error(`${pattern} has more than this reads`);
  }
  const fields = JSON.parse(line) as Readonly<Record<string, unknown>>;
  const reader = { tokens, at: 0 };
  const found = readOr(reader, fields);
  if (reader.at < tokens.length) throw new Error(`${tokens[reader.at]} is not expected in ${pattern}`);
  return found;
}

interface Reader {
  readonly tokens: readonly string[];
  at: number;
}

type Fields = Readonly<Record<string, unknown>>;

const TOKEN = /\|\||&&|[()=]|\$\.[A-Za-z]+|"[^"]*"|IS|TRUE|FALSE/g;
const OUTSIDE_OF_STRINGS = /\s+(?=(?:[^"]*"[^"]*")*[^"]*$)/g;

function readOr(reader: Reader, fields: Fields): boolean {
  let found = readAnd(reader, fields);
  while (reader.tokens[reader.at] === '||') {
    reader.at += 1;
    found = readAnd(reader, fields) || found;
  }
  return found;
}

function readAnd(reader: Reader, fields: Fields): boolean {
  let found = readOne(reader, fields);
  while (reader.tokens[reader.at] === '&&') {
    reader.at += 1;
    found = readOne(reader, fields) && found;
  }
  return found;
}

function readOne(reader: Reader, fields: Fields): boolean {
  const next = (): string => reader.tokens[reader.at++] ?? '';
  const first = next();
  if (first === '(') {
    const found = readOr(reader, fields);
    if (next() !== ')') throw new Error('a parenthesis is not closed');
    return found;
  }
  if (!first.startsWith('$.')) throw new Error(`${first} is not expected`);
  const value = fields[first.slice(2)];
  const operator = next();
  const operand = next();
  if (operator === 'IS') return value === (operand === 'TRUE');
  if (operator !== '=' || !operand.startsWith('"')) throw new Error(`${operator} ${operand} is not expected`);
  const parts = operand
    .slice(1, -1)
    .split('*')
    .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return typeof value === 'string' && new RegExp(`^${parts.join('.*')}$`, 's').test(value);
}

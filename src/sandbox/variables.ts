import { CloudError } from './cloud-error.ts';

/** Variables of an appliance, by name. */
export type Variables = Readonly<Record<string, string>>;

/**
 * The variables in the body of a request: `{"variables": {"ETCD_VERSION": "3.6"}}`. Throws where they are none, or no
 * process could be started with them.
 */
export function readVariables({ variables }: Readonly<Record<string, unknown>>): Variables {
  if (typeof variables !== 'object' || variables === null || Array.isArray(variables))
    throw refused('variables must be an object');
  const all = Object.entries(variables);
  if (all.length === 0) throw refused('variables must name one at least');
  return Object.fromEntries(
    all.map(([name, value]: readonly [string, unknown]) => [name, valueOf(name, value)]),
  );
}

function valueOf(name: string, value: unknown): string {
  if (!/^[A-Za-z_]\w*$/.test(name))
    throw refused(`${JSON.stringify(name.slice(0, 80))} is no name of a variable: letters, digits and _`);
  if (typeof value === 'string' && !value.includes('\0')) return value;
  throw refused(`the value of ${name.slice(0, 80)} must be a text without NUL`);
}

function refused(message: string): CloudError {
  return new CloudError('BadRequest', message);
}

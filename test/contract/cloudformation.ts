import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { CollectionTag, ScalarTag, YAMLMap, YAMLSeq } from 'yaml';

/** The template as it is written, in the repository. */
export const TEMPLATE_FILE = join(import.meta.dirname, '../../cloudformation/etcd-cluster.yaml');

/** A value of the template; functions in their long form, `{ "Fn::Sub": … }`. */
export type Value = string | number | boolean | null | readonly Value[] | Tree;
export interface Tree {
  readonly [key: string]: Value;
}

/** What a section of the template has under a logical name. */
export type Section = Readonly<Record<string, Tree>>;

export interface Template {
  readonly Parameters: Section;
  readonly Rules: Section;
  readonly Conditions: Section;
  readonly Resources: Section;
  readonly Outputs: Section;
}

const long = (name: string): string => (name === 'Ref' || name === 'Condition' ? name : `Fn::${name}`);

/** The short forms of functions, each of a scalar or a list. */
const TAGS = ['Ref', 'Sub', 'GetAtt', 'If', 'Equals', 'Not', 'Or', 'FindInMap', 'Select', 'Join'].flatMap(
  (name): readonly (ScalarTag | CollectionTag)[] => [
    {
      tag: `!${name}`,
      resolve: (text: string) => ({ [long(name)]: name === 'GetAtt' ? text.split('.') : text }),
    },
    {
      tag: `!${name}`,
      collection: 'seq',
      resolve: (list: YAMLMap.Parsed | YAMLSeq.Parsed) => ({ [long(name)]: list.toJSON() }),
    },
  ],
);

/** Reads the template. */
export async function readTemplate(): Promise<Template> {
  return parse(await readFile(TEMPLATE_FILE, 'utf8'), { customTags: TAGS }) as Template;
}

/** The value at a path; throws where there is none. */
export function at(value: Value | undefined, ...path: readonly (string | number)[]): Value {
  let found = value;
  for (const step of path) {
    found = typeof found === 'object' && found !== null ? (found as Record<string, Value>)[step] : undefined;
  }
  if (found === undefined) throw new Error(`the template has nothing at ${path.join('.')}`);
  return found;
}

/** The text at a path; throws where there is none. */
export function textAt(value: Value | undefined, ...path: readonly (string | number)[]): string {
  const found = at(value, ...path);
  if (typeof found !== 'string') throw new Error(`the template has no text at ${path.join('.')}`);
  return found;
}

/** A value as a list: one is a list of one. */
export function listOf(value: Value): readonly Value[] {
  return Array.isArray(value) ? (value as readonly Value[]) : [value];
}

/** The resources of a type, by logical name. */
export function resourcesOf(template: Template, type: string): readonly (readonly [string, Tree])[] {
  return Object.entries(template.Resources).filter(([, resource]) => resource['Type'] === type);
}

import { notSimulated } from './cloud-error.ts';
import { matchesFilter, type QueryParams } from './wire-query.ts';
import type { Tags } from './world.ts';

/** `Filter.1.Name`, `Filter.1.Value.1` … of an EC2 request: one of the values of each filter must match. */
export interface Filter {
  readonly name: string;
  readonly values: readonly string[];
}

export function readFilters(params: QueryParams): readonly Filter[] {
  return params
    .objects('Filter')
    .map((filter) => ({ name: filter.need('Name'), values: filter.list('Value') }));
}

/** Whether a thing passes all filters; `valuesOf` gives what one is compared with, null for a filter that is not simulated. */
export function passes(
  action: string,
  filters: readonly Filter[],
  tags: Tags,
  valuesOf: (filter: string) => readonly string[] | null,
): boolean {
  return filters.every(({ name, values }) => {
    const has = tagValues(tags, name) ?? valuesOf(name);
    if (has === null) throw notSimulated(`the filter ${name} of ${action}`);
    return values.some((value) => has.some((one) => matchesFilter(value, one)));
  });
}

function tagValues(tags: Tags, filter: string): readonly string[] | null {
  if (filter === 'tag-key') return Object.keys(tags);
  if (!filter.startsWith('tag:')) return null;
  const value = tags[filter.slice('tag:'.length)];
  return value === undefined ? [] : [value];
}

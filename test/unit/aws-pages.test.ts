import { expect, test } from 'vitest';
import { pagesOf } from '../../src/aws/pages.ts';
import { known, unknown } from '../../src/core/known.ts';

const never = new AbortController().signal;

interface Page {
  readonly NextToken?: string;
}

/** What is read where `turnTo` answers, and which pages it was asked for. */
async function read(turnTo: (token: string | undefined) => Page, signal = never) {
  const asked: (string | undefined)[] = [];
  const turn = async ({ NextToken: token }: Page) => {
    asked.push(token);
    return await Promise.resolve(turnTo(token));
  };
  return { pages: await Array.fromAsync(pagesOf('EC2', turn, signal)), asked };
}

test('pages are read until one names no next, or an empty one', async () => {
  const book: Record<string, Page> = {
    first: { NextToken: 'a' },
    a: { NextToken: 'b' },
    b: { NextToken: '' },
  };
  const { pages, asked } = await read((token) => book[token ?? 'first'] ?? {});
  expect(asked).toEqual([undefined, 'a', 'b']);
  expect(pages).toEqual(['a', 'b', ''].map((NextToken) => known({ NextToken })));
  expect((await read(() => ({}))).pages).toEqual([known({})]);
});

test('a page that cannot be had is the last, and unknown', async () => {
  const { pages, asked } = await read((token) => {
    if (token === 'a') throw new Error('it is torn out');
    return { NextToken: 'a' };
  });
  expect(asked).toEqual([undefined, 'a']);
  expect(pages).toEqual([known({ NextToken: 'a' }), unknown('EC2 did not answer (it is torn out)')]);
});

test('an answer without end is unknown', async () => {
  const { pages, asked } = await read(() => ({ NextToken: 'again' }));
  expect(asked).toHaveLength(100);
  expect(pages.at(-1)).toEqual(unknown('EC2 answers with more than 100 pages'));
});

test('who gives up reads no further', async () => {
  const end = new AbortController();
  const turned = read(() => {
    end.abort(new Error('enough'));
    throw new Error('it was aborted');
  }, end.signal);
  await expect(turned).rejects.toThrow('enough');
});

import { describe, expect, it } from 'vitest';
import {
  decodeAtom,
  decodeTxt,
  decodeWords,
  encodeAtom,
  encodeTxt,
  encodeWords,
} from '../../../src/core/txt.ts';

const A255 = 'a'.repeat(255);

describe('a TXT value', () => {
  it.each([
    ['', '""'],
    ['a b', '"a b"'],
    [A255, `"${A255}"`],
    [`${A255}b`, `"${A255}" "b"`],
    [`${A255}${A255}`, `"${A255}" "${A255}"`],
    [`${A255}${A255}c`, `"${A255}" "${A255}" "c"`],
  ])('%# is written in strings of at most 255 characters, and read back', (text, value) => {
    expect(encodeTxt(text)).toBe(value);
    expect(decodeTxt(value)).toBe(text);
  });

  it.each([
    '',
    'a',
    '"a',
    'a"',
    '"a""b"',
    '"a"  "b"',
    '"a" b',
    'b "a"',
    '"a\\"',
    '"a" "b\\"',
    '"a" "b"c',
    '"a"b" "c"',
  ])('%s is none that was written here', (value) => {
    expect(decodeTxt(value)).toBeNull();
  });
});

describe('words', () => {
  it('are read back as they were written', () => {
    const words = [
      ['a', '1'],
      ['b', ''],
      ['c', 'x=y'],
    ] as const;
    expect(encodeWords(words)).toBe('a=1 b= c=x=y');
    expect(decodeWords('a=1 b= c=x=y')).toEqual(new Map(words));
  });

  it.each(['', 'a', '=1', 'a=1 b', 'a=1 =2', 'a=1 a=2', 'a=1  b=2'])('"%s" are none', (text) => {
    expect(decodeWords(text)).toBeNull();
  });
});

describe('an atom', () => {
  it.each([
    ['arn:aws:autoscaling:x', 'arn:aws:autoscaling:x'],
    ['a b,c/d=e', 'a%20b%2Cc%2Fd%3De'],
    ["!'()*~", '%21%27%28%29%2A%7E'],
    ['i-1_2.3', 'i-1_2.3'],
    ['%', '%25'],
  ])('%s is written as %s, and read back', (text, atom) => {
    expect(encodeAtom(text)).toBe(atom);
    expect(decodeAtom(atom)).toBe(text);
  });

  it('that is malformed is null', () => {
    expect(decodeAtom('%E0%A4%A')).toBeNull();
  });
});

/*
 * Stryker's plugin that leaves sentences alone: their wording is not a rule, and no test should hold it. A code is never
 * taken for a sentence. A sentence is
 *  - the argument that the functions below take for one;
 *  - the value of a property `why`;
 *  - a text literal with two words in it, parted by a blank;
 *  - a local variable or function that nothing but sentences use.
 */

/** As much of Babel's NodePath as is needed here. */
interface SyntaxPath {
  readonly node: SyntaxNode;
  readonly key: string | number | null;
  readonly listKey: string | undefined;
  readonly parentPath: SyntaxPath | null;
  readonly scope: {
    getBinding(name: string): { readonly referencePaths: readonly SyntaxPath[] } | undefined;
  };
}

interface SyntaxNode {
  readonly type: string;
  readonly name?: string;
  readonly value?: unknown;
  readonly id?: SyntaxNode | null;
  readonly callee?: SyntaxNode;
  readonly key?: SyntaxNode;
  readonly quasis?: readonly { readonly value: { readonly raw: string } }[];
}

/** The place of the sentence among the arguments. */
const SENTENCE_ARGUMENT: Readonly<Record<string, number>> = {
  reason: 1,
  wait: 1,
  setAside: 1,
  startData: 1,
  none: 1,
  stop: 1,
  remove: 1,
  promote: 2,
  act: 2,
  verdict: 2,
  declareLost: 2,
  startOrReplace: 2,
  clearMark: 1,
  unknown: 0,
};

const WORDS = /[a-z,;:'’]+ [a-z$]/;

function isArgument(path: SyntaxPath): boolean {
  const callee = path.parentPath?.node.callee;
  if (path.listKey !== 'arguments' || callee?.name === undefined) return false;
  return SENTENCE_ARGUMENT[callee.name] === path.key;
}

function isWhy(path: SyntaxPath): boolean {
  return path.key === 'value' && path.parentPath?.node.key?.name === 'why';
}

function isWords({ node }: SyntaxPath): boolean {
  if (node.type === 'StringLiteral') return WORDS.test(String(node.value));
  return (
    node.type === 'TemplateLiteral' && WORDS.test((node.quasis ?? []).map((it) => it.value.raw).join('$'))
  );
}

/** Whether the path declares what only sentences use; `within` keeps two that use each other from asking for ever. */
function isForSentences(path: SyntaxPath, within: readonly SyntaxNode[]): boolean {
  const { type, id } = path.node;
  if ((type !== 'VariableDeclarator' && type !== 'FunctionDeclaration') || id?.name === undefined)
    return false;
  const uses = path.parentPath?.scope.getBinding(id.name)?.referencePaths ?? [];
  return uses.length > 0 && uses.every((use) => isInSentence(use, [...within, path.node]));
}

function isInSentence(path: SyntaxPath, within: readonly SyntaxNode[] = []): boolean {
  for (let at: SyntaxPath | null = path; at !== null; at = at.parentPath) {
    if (within.includes(at.node)) continue;
    if (isArgument(at) || isWhy(at) || isWords(at) || isForSentences(at, within)) return true;
  }
  return false;
}

/** What Stryker looks for in a plugin. */
export const strykerPlugins = [
  {
    kind: 'Ignore',
    name: 'sentences',
    value: {
      shouldIgnore: (path: SyntaxPath): string | undefined =>
        isArgument(path) || isWhy(path) || isWords(path) || isForSentences(path, [])
          ? 'a sentence, not a rule'
          : undefined,
    },
  },
];

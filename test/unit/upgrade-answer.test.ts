import { describe, expect, onTestFinished, test } from 'vitest';
import { createPeers } from '../../src/http/peers.ts';
import { startFaceServer } from '../../src/http/server.ts';
import { parseUpgradeAnswer } from '../../src/http/upgrade-answer.ts';
import { createFakeFace, UPGRADE_VIEW } from '../fakes/face.ts';

const NEVER = new AbortController().signal;
const { plan: _plan, checks: _checks, waiting: _waiting, ...ANSWER } = UPGRADE_VIEW;

describe('what an appliance says of its instance', () => {
  test('comes whole through a real face, and the asker’s word with it', async () => {
    const asked: boolean[] = [];
    const face = createFakeFace({
      upgrade: async (fresh) => {
        asked.push(fresh);
        return await Promise.resolve(UPGRADE_VIEW);
      },
    });
    const server = await startFaceServer(
      { address: '127.0.0.1', port: 0 },
      { face, log: { warn: () => undefined } },
    );
    onTestFinished(() => server.close());
    const peers = createPeers({ port: server.port });
    for (const fresh of [false, true])
      expect(await peers.askUpgrade('127.0.0.1', { from: 'i-0b', fresh }, NEVER)).toEqual({
        known: true,
        value: ANSWER,
      });
    expect(asked).toEqual([false, true]);
  });

  test('is the same where the instance says that it aims at the newest, and holds what is known', () => {
    const more = {
      ...ANSWER,
      wanted: null,
      installed: [],
      replay: { known: true, value: { snapshotIndex: 7, lastIndex: 90, lastV2Index: null } },
      later: 'a field of a later version',
    };
    const { later: _, ...known } = more;
    expect(parseUpgradeAnswer(JSON.stringify(more))).toEqual({ known: true, value: known });
  });

  test.each([
    ['no JSON', 'I run 3.5', 'the answer is not JSON'],
    ['a list', '[]', 'the whole is no object'],
    ['nothing installed', { ...ANSWER, installed: undefined }, 'installed is no list'],
    ['a version that is none', { ...ANSWER, installed: ['newest'] }, 'installed[0] is no version'],
    ['no word on what it aims at', { ...ANSWER, wanted: undefined }, 'wanted is no text'],
    ['data that nobody looked at', { ...ANSWER, v2: undefined }, 'v2 is no object'],
    ['data of another kind', { ...ANSWER, v2: { known: true, value: 'fine' } }, 'v2 is none of clean'],
    ['neither known nor unknown', { ...ANSWER, v2: {} }, 'v2 is neither known nor unknown'],
    ['a log without an index', { ...ANSWER, replay: { known: true, value: {} } }, 'replay.snapshotIndex'],
    ['a disk with less than nothing', { ...ANSWER, freeBytes: { known: true, value: -1 } }, 'freeBytes'],
    [
      'an unknown without a reason',
      { ...ANSWER, freeBytes: { known: false } },
      'freeBytes.reason is no text',
    ],
  ])('is unknown with %s', (_, said, problem) => {
    const answer = parseUpgradeAnswer(typeof said === 'string' ? said : JSON.stringify(said));
    expect(answer).toEqual({ known: false, reason: expect.stringContaining(problem) });
  });
});

import { unknown } from '../core/known.ts';
import type { Known } from '../core/known.ts';
import { ask } from './failure.ts';

/** A service that hands out page after page for ever would keep us for ever. */
const MOST_PAGES = 100;

/** What a question says of the page that it asks for; of the first one, nothing. */
interface PageStart {
  readonly NextToken?: string;
}

/**
 * The pages of an answer of EC2 or Auto Scaling, one after the other; one that cannot be had is unknown, and the last.
 * `service` begins the sentence that says why, `turnTo` asks for a page. Throws only the caller's abort.
 */
export async function* pagesOf<Page extends { readonly NextToken?: string | undefined }>(
  service: string,
  turnTo: (start: PageStart) => Promise<Page>,
  signal: AbortSignal,
): AsyncGenerator<Known<Page>, void> {
  let start: PageStart = {};
  for (let count = 0; count < MOST_PAGES; count += 1) {
    const page = await ask(service, signal, async () => await turnTo(start));
    yield page;
    if (!page.known) return;
    const { NextToken: token } = page.value;
    if (token === undefined || token === '') return;
    start = { NextToken: token };
  }
  yield unknown(`${service} answers with more than ${MOST_PAGES} pages`);
}

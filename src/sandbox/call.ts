import type { CallContext } from './api.ts';
import type { CloudError } from './cloud-error.ts';
import type { Service } from './model.ts';

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A request as its wire format understood it, not yet carried out. */
export interface Call {
  readonly service: Service;
  readonly action: string;
  readonly changes: boolean;
  readonly run: (context: CallContext) => Answer;
  readonly fail: (error: CloudError) => Answer;
}

export interface WireRequest {
  readonly method: string;
  readonly url: URL;
  readonly body: string;
}

/** An error that a service of the cloud answers with, by AWS's own code and HTTP status. */
export class CloudError extends Error {
  readonly code: string;
  readonly status: number;

  constructor(code: string, message: string, status = 400) {
    super(message);
    this.name = 'CloudError';
    this.code = code;
    this.status = status;
  }
}

/** The loud answer to everything that the sandbox does not know: never an empty success. */
export function notSimulated(what: string): CloudError {
  return new CloudError('NotImplemented', `the sandbox does not simulate ${what}`, 501);
}

/** Auto Scaling's word for a request that makes no sense. */
export function validationError(message: string): CloudError {
  return new CloudError('ValidationError', message);
}

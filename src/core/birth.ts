/** What `GET /birth` answers: all that another appliance must know of this one before it claims a name. */
export interface BirthAnswer {
  readonly instanceId: string;
  readonly stack: string;
  /** Data in use (started, or to be started). Null where there are none. */
  readonly data: {
    readonly token: string | null;
    readonly clusterId: string | null;
    readonly formed: boolean;
  } | null;
  /** Data set aside of epochs that were formed; those of epochs that never formed do not count. */
  readonly aside: readonly {
    readonly token: string | null;
    readonly clusterId: string | null;
    readonly formed: boolean;
  }[];
  /** Token of the mark on disk. */
  readonly mark: { readonly token: string; readonly started: boolean } | null;
  /** Epoch of the claim last seen by this appliance; 0 for none. */
  readonly epoch: number;
}

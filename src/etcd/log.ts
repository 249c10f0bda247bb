/** Where the adapters of this folder say what they do: a static message, and fields. The shape of the daemon's Log. */
export interface EtcdLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

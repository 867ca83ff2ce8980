/** Reason that an update ended without a new version, for the person who asked for it. */
export class UpdateError extends Error {
  override name = "UpdateError";
  /** True when the same command may succeed a little later. */
  readonly temporary: boolean;

  constructor(message: string, options: { cause?: unknown; temporary?: boolean } = {}) {
    super(message, { cause: options.cause });
    this.temporary = options.temporary ?? false;
  }
}

/** Failure to pull a model, with a message for the person who asked for it. */
export class PullError extends Error {
  override name = "PullError";
  /** True when the same request may succeed a little later. */
  readonly temporary: boolean;
  /** Wait that the server asked for; null: none. */
  readonly retryAfterMs: number | null;
  /** Status of the server's answer; null: there was none. */
  readonly status: number | null;

  constructor(
    message: string,
    options: { cause?: unknown; temporary?: boolean; status?: number; retryAfterMs?: number | null } = {},
  ) {
    super(message, { cause: options.cause });
    this.temporary = options.temporary ?? false;
    this.status = options.status ?? null;
    this.retryAfterMs = options.retryAfterMs ?? null;
  }
}

/** Why a model could not be pulled, for the person who asked for it. */
export class PullError extends Error {
  override name = "PullError";
  /** Whether the same request may succeed a little later. */
  readonly temporary: boolean;
  /** What the server asked to wait; null: it didn't say. */
  readonly retryAfterMs: number | null;
  /** What the server answered; null: it didn't. */
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

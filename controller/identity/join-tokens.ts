import { ServiceError } from "#platform/errors.ts";
import { createKeyAttempts } from "#platform/http/guard/key-attempts.ts";
import { dayMs } from "#platform/time.ts";
import { newJoinToken, tokenKey } from "#protocol/identity/join-token.ts";
import { isSignedBy, type SignedStatement } from "#protocol/identity/signed-statement.ts";
import type { IdentityStore, StoredJoinToken } from "../store/store.ts";

/** Maximum tokens at a time. */
const maxTokens = 1_000;
/** Time for which one that has ended is still known, and refused by its own sentence. */
const keptMs = 30 * dayMs;

export interface NewToken {
  readonly ttlS: number;
  readonly uses: number;
  readonly region: string;
  readonly isApproved: boolean;
}

/** Tokens by which devices join. Of each, only what proves it is kept. */
export class JoinTokens {
  readonly #store: IdentityStore;
  readonly #pin: string;
  readonly #nowMs: () => number;
  readonly #known = new Map<string, StoredJoinToken>();
  readonly #attempts = createKeyAttempts(() => performance.now());

  constructor(store: IdentityStore, pin: string, nowMs: () => number) {
    this.#store = store;
    this.#pin = pin;
    this.#nowMs = nowMs;
  }

  async recover(): Promise<void> {
    for (const token of await this.#store.loadJoinTokens()) this.#known.set(token.id, token);
  }

  list(): readonly StoredJoinToken[] {
    return [...this.#known.values()];
  }

  of(id: string): StoredJoinToken | null {
    return this.#known.get(id) ?? null;
  }

  /** Makes a token; its text is shown once and kept nowhere. */
  async create({ ttlS, uses, region, isApproved }: NewToken): Promise<{ text: string; token: StoredJoinToken }> {
    await this.#forgetEnded();
    if (this.#known.size >= maxTokens)
      throw new ServiceError("CONFLICT", `there are ${maxTokens} tokens already: revoke some, or let them expire`);
    const { text, id, publicKey } = newJoinToken(this.#pin);
    const createdMs = this.#nowMs();
    const token: StoredJoinToken = {
      ...{ id, publicKey, region, isApproved, usesLeft: uses, createdMs },
      ...{ expiresMs: createdMs + ttlS * 1000, revokedMs: null },
    };
    await this.#store.saveJoinToken(token);
    this.#known.set(id, token);
    return { text, token };
  }

  async revoke(id: string): Promise<StoredJoinToken> {
    const token = this.#known.get(id);
    if (token === undefined) throw new ServiceError("NOT_FOUND", `there is no token ${id}`);
    if (token.revokedMs !== null) return token;
    const revoked = { ...token, revokedMs: this.#nowMs() };
    await this.#store.saveJoinToken(revoked);
    this.#known.set(id, revoked);
    return revoked;
  }

  /**
   * Returns the token whose key signed a statement; null where none did.
   * @throws ServiceError when such statements come too often.
   */
  proven(id: string, signed: SignedStatement): StoredJoinToken | null {
    const token = this.#known.get(id);
    const key = token === undefined ? null : tokenKey(token.publicKey);
    if (token !== undefined && key !== null && isSignedBy(key, "join", signed.statement, signed.signature))
      return token;
    const retryAfterS = this.#attempts.wrongKey("any");
    if (retryAfterS > 0)
      throw new ServiceError("TOO_MANY_REQUESTS", "too many attempts to join with a wrong token", { retryAfterS });
    return null;
  }

  afterUse(token: StoredJoinToken): StoredJoinToken {
    return { ...token, usesLeft: token.usesLeft - 1 };
  }

  remember(token: StoredJoinToken): void {
    this.#known.set(token.id, token);
  }

  async #forgetEnded(): Promise<void> {
    for (const { id, expiresMs } of this.list()) {
      if (expiresMs + keptMs > this.#nowMs()) continue;
      await this.#store.removeJoinToken(id);
      this.#known.delete(id);
    }
  }
}

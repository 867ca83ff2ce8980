import { ServiceError } from "#platform/errors.ts";
import { createCountedLog, type Logger } from "#platform/log.ts";
import { type ApiKey, type Caller, createCallerCheck } from "./identify-caller.ts";
import { createKeyAttempts } from "./key-attempts.ts";

/** Finds out who sends a request, over whichever protocol it comes. */
export interface Authenticator {
  /** False where no key is configured: then everybody who can connect is served. */
  readonly keysRequired: boolean;
  /**
   * Returns who calls, or the error that the sender is told: UNAUTHORIZED without a valid key, TOO_MANY_REQUESTS after many wrong ones from its
   * address. A valid key is taken from any address, also one that others try keys from.
   * @param authorization the header's value, `Bearer KEY`
   * @param address the sender's network address, asked for only when the key is wrong
   */
  authenticate(authorization: string | null, address: () => string | null): Caller | ServiceError;
  /** Wrong keys that came since the start. */
  wrongKeys(): number;
}

export interface AuthenticatorOptions {
  readonly apiKeys: readonly ApiKey[];
  readonly log: Logger;
  /** Of a clock that only goes forward. */
  readonly nowMs?: () => number;
}

export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const { apiKeys, log, nowMs = () => performance.now() } = options;
  const identify = createCallerCheck(apiKeys);
  const attempts = createKeyAttempts(nowMs);
  const counted = createCountedLog(log, nowMs);
  let wrongKeys = 0;
  return {
    keysRequired: apiKeys.length > 0,
    authenticate(authorization, addressOf) {
      const caller = identify(authorization);
      if (caller !== null) return caller;
      if (authorization === null || authorization === "") {
        return new ServiceError("UNAUTHORIZED", "a valid API key is needed: Authorization: Bearer KEY");
      }
      wrongKeys += 1;
      const address = addressOf() ?? "an unknown address";
      counted.note("a request had a wrong API key", { address, wrongKeys });
      const retryAfterS = attempts.wrongKey(address);
      if (retryAfterS === 0) {
        return new ServiceError("UNAUTHORIZED", "a valid API key is needed: Authorization: Bearer KEY");
      }
      return new ServiceError("TOO_MANY_REQUESTS", "too many requests with a wrong API key from this address", {
        retryAfterS,
      });
    },
    wrongKeys: () => wrongKeys,
  };
}

import { ServiceError } from "#platform/errors.ts";
import { createCountedLog, type Logger } from "#platform/log.ts";
import { type ApiKey, type Caller, createCallerCheck } from "./identify-caller.ts";
import { createKeyAttempts } from "./key-attempts.ts";
import { verifyPeerRequest } from "./peer-signature.ts";

/** Authenticates requests of any protocol. */
export interface Authenticator {
  /** False without configured keys: every client that can connect is served. */
  readonly keysRequired: boolean;
  /**
   * Returns the caller, or the error for the sender: UNAUTHORIZED without a valid key, TOO_MANY_REQUESTS after many wrong ones from its address.
   * A valid key is accepted from any address, even one that others guess keys from.
   * @param authorization value of the header, `Bearer KEY`
   * @param address network address of the sender, looked up only for a wrong key
   * @param path of an HTTP request; another agent's signature is valid for one path only
   */
  authenticate(authorization: string | null, address: () => string | null, path?: string): Caller | ServiceError;
  /** Number of wrong keys since the start. */
  wrongKeys(): number;
}

interface AuthenticatorOptions {
  readonly apiKeys: readonly ApiKey[];
  readonly log: Logger;
  /** Secret by which the fleet's agents sign requests for one path. Default: none is accepted. */
  readonly peers?: { readonly secret: string; readonly path: string } | null;
  /** Monotonic clock. */
  readonly nowMs?: () => number;
}

export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const { apiKeys, log, peers = null, nowMs = () => performance.now() } = options;
  const identify = createCallerCheck(apiKeys);
  const attempts = createKeyAttempts(nowMs);
  const counted = createCountedLog(log, nowMs);
  let wrongKeys = 0;
  return {
    keysRequired: apiKeys.length > 0,
    authenticate(authorization, addressOf, path) {
      if (peers !== null && path === peers.path) {
        const peer = verifyPeerRequest(authorization, peers.secret, path, Date.now());
        if (peer !== null) return { tenant: null, peer };
      }
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

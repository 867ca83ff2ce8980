import { ServiceError } from "#platform/errors.ts";
import { createCountedLog, type Logger } from "#platform/log.ts";
import { type ApiKey, bearerOf, type Caller, createCallerCheck } from "./identify-caller.ts";
import { createKeyAttempts } from "./key-attempts.ts";

/** Authenticates requests of any protocol. */
export interface Authenticator {
  /** False without any keys: every client that can connect is served. */
  readonly keysRequired: boolean;
  /**
   * Returns the caller, or the error for the sender: UNAUTHORIZED without a valid key, TOO_MANY_REQUESTS after many wrong ones from its address.
   * A valid key is accepted from any address, even one that others guess keys from.
   * @param authorization value of the header, `Bearer KEY`
   * @param address network address of the sender, looked up only for a wrong key
   * @param path of an HTTP request; another agent's signature is valid for one path only
   */
  authenticate(authorization: string | null, address: () => string | null, path?: string): Caller | ServiceError;
  /** Waits until a key can be identified; null: it can be at once. */
  prepare(authorization: string | null): Promise<void> | null;
  /**
   * Returns the caller of an issued key where none is needed, or another agent by its proof for this path; the error where a key is of no
   * use; null for any other header.
   */
  recognize(authorization: string | null, path?: string): Caller | ServiceError | null;
  /** Number of wrong keys since the start. */
  wrongKeys(): number;
}

/** Keys that were issued at run time, known by their hashes. */
export interface IssuedKeys {
  /** True: a key is needed. */
  readonly required: boolean;
  /**
   * Returns the caller of a key; for the holder of one that is of no use (now), the error: UNAUTHORIZED where it counts as a wrong key; null for
   * an unknown one.
   */
  identify(key: string): Caller | ServiceError | null;
  /** Finds out about a key that can't be identified at once; null: nothing is to be waited for. Never rejects. */
  prepare?(key: string): Promise<void> | null;
}

/** Requests of other agents of the fleet. */
export interface PeerAccess {
  /** Path at which they are accepted. */
  readonly path: string;
  /** Returns the agent that a header proves; null where it proves none. */
  verify(authorization: string | null): string | null;
}

interface AuthenticatorOptions {
  readonly apiKeys: readonly ApiKey[];
  /** Role and name of callers with one of `apiKeys`. */
  readonly rights?: Pick<Caller, "role" | "name">;
  readonly issued?: IssuedKeys;
  readonly log: Logger;
  /** Requests that the fleet's agents prove to be theirs, for one path. Default: none are accepted. */
  readonly peers?: PeerAccess | null;
  /** Monotonic clock. */
  readonly nowMs?: () => number;
}

export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const { apiKeys, issued, log, peers = null, nowMs = () => performance.now() } = options;
  const identify = createCallerCheck(apiKeys, options.rights);
  const attempts = createKeyAttempts(nowMs);
  const counted = createCountedLog(log, nowMs);
  let wrongKeys = 0;
  const peerOf = (authorization: string | null, path: string | undefined): Caller | null => {
    const peer = peers !== null && path === peers.path ? peers.verify(authorization) : null;
    return peer === null ? null : { tenant: null, role: "embed", peer };
  };
  const recognize = (authorization: string | null, path?: string) => {
    const peer = peerOf(authorization, path);
    if (peer !== null) return peer;
    const key = issued === undefined ? null : bearerOf(authorization);
    return key === null ? null : (issued?.identify(key) ?? null);
  };
  return {
    get keysRequired() {
      return apiKeys.length > 0 || issued?.required === true;
    },
    authenticate(authorization, addressOf, path) {
      const known = peerOf(authorization, path) ?? identify(authorization) ?? recognize(authorization);
      if (known !== null && !(known instanceof ServiceError && known.code === "UNAUTHORIZED")) return known;
      if (authorization === null || authorization === "") {
        return new ServiceError("UNAUTHORIZED", "a valid API key is needed: Authorization: Bearer KEY");
      }
      wrongKeys += 1;
      const address = addressOf() ?? "an unknown address";
      counted.note("a request had a wrong API key", { address, wrongKeys });
      const retryAfterS = attempts.wrongKey(address);
      if (retryAfterS === 0) {
        return known ?? new ServiceError("UNAUTHORIZED", "a valid API key is needed: Authorization: Bearer KEY");
      }
      return new ServiceError("TOO_MANY_REQUESTS", "too many requests with a wrong API key from this address", {
        retryAfterS,
      });
    },
    recognize,
    prepare(authorization) {
      const key = issued?.prepare === undefined ? null : bearerOf(authorization);
      return key === null ? null : (issued?.prepare?.(key) ?? null);
    },
    wrongKeys: () => wrongKeys,
  };
}

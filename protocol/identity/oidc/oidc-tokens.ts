import { createHash } from "node:crypto";
import { decodeJwt, errors, type JWTPayload, jwtVerify } from "jose";
import { describeError, ServiceError } from "#platform/errors.ts";
import type { IssuedKeys } from "#platform/http/guard/authenticate.ts";
import type { Caller } from "#platform/http/guard/identify-caller.ts";
import { minuteMs, secondMs } from "#platform/time.ts";
import { cleanText } from "../../clean-text.ts";
import { ProviderKeys } from "./provider-keys.ts";

/** Signatures that anyone can check and only the provider can make. */
const algorithms = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
];

/** Difference of clocks that is overlooked. */
const clockToleranceS = 60;
/** Longest time for which a token is not checked again. */
const knownForMs = 5 * minuteMs;
const refusedForMs = 10 * secondMs;
const maxKnown = 1000;
/** Tokens that are checked at the same time. */
const maxPending = 32;
const maxTokenLength = 12_000;

const form = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

interface Known {
  readonly answer: JWTPayload | ServiceError;
  readonly untilMs: number;
}

export interface OidcTokensParts {
  readonly config: { readonly issuer: string; readonly audience: string };
  /** Rights of a token's bearer, by its claims; asked for each request, as they may change while a token is known. */
  readonly callerOf: (claims: JWTPayload, name: string) => Caller | ServiceError;
  /** The machine's own clock: tokens know no other. */
  readonly nowMs: () => number;
}

/** Value of a claim by its name or, with dots, inside others; its words or items. */
export function claimValues(claims: JWTPayload, name: string): string[] {
  const inside = name.split(".").reduce<unknown>((value, part) => Object(value)[part], claims);
  const value = Object.hasOwn(claims, name) ? claims[name] : inside;
  if (typeof value === "string") return value.split(" ").filter(Boolean);
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}

/** Bearer tokens of one OpenID Connect provider. A token is checked once by its signature, and known for a while. */
export class OidcTokens implements IssuedKeys {
  /** Tokens can't be told from no tokens: without one, a request has no role. */
  readonly required = true;
  readonly #parts: OidcTokensParts;
  readonly #known = new Map<string, Known>();
  readonly #pending = new Map<string, Promise<void>>();
  readonly #keys: ProviderKeys;

  constructor(parts: OidcTokensParts) {
    this.#parts = parts;
    this.#keys = new ProviderKeys(parts.config.issuer, parts.nowMs);
  }

  /** Checks a token of this provider that is not known yet; null: nothing is to be waited for. */
  prepare(text: string): Promise<void> | null {
    if (!this.#isOurs(text)) return null;
    const id = idOf(text);
    const known = this.#known.get(id);
    if (known !== undefined && known.untilMs > this.#parts.nowMs()) return null;
    const pending = this.#pending.get(id);
    if (pending !== undefined || this.#pending.size >= maxPending) return pending ?? null;
    const checking = this.#check(text).then((found) => {
      this.#pending.delete(id);
      this.#known.delete(id);
      const oldest = this.#known.size >= maxKnown ? this.#known.keys().next().value : undefined;
      if (oldest !== undefined) this.#known.delete(oldest);
      this.#known.set(id, found);
    });
    this.#pending.set(id, checking);
    return checking;
  }

  identify(text: string): Caller | ServiceError | null {
    if (!this.#isOurs(text)) return null;
    const known = this.#known.get(idOf(text));
    // A moment may have passed since it was prepared.
    if (known !== undefined && known.untilMs + secondMs > this.#parts.nowMs()) {
      const { answer } = known;
      if (answer instanceof ServiceError) return answer;
      return this.#parts.callerOf(answer, cleanText(`token of ${answer.sub}`).slice(0, 150));
    }
    const claims = known === undefined || known.answer instanceof ServiceError ? null : known.answer;
    // Its end may have passed since it was prepared.
    if (claims !== null && endOf(claims) <= this.#parts.nowMs()) return tokenExpired();
    return new ServiceError("TOO_MANY_REQUESTS", "too many tokens are being checked", { retryAfterS: 1 });
  }

  /** True for a text that says it is a token of this provider. */
  #isOurs(text: string): boolean {
    if (text.length > maxTokenLength || !form.test(text)) return false;
    try {
      return decodeJwt(text).iss === this.#parts.config.issuer;
    } catch {
      return false;
    }
  }

  async #check(text: string): Promise<Known> {
    const { config, nowMs } = this.#parts;
    const { issuer, audience } = config;
    try {
      const { payload } = await jwtVerify(text, (header, token) => this.#keys.find(header, token), {
        ...{ issuer, audience, algorithms },
        ...{ clockTolerance: clockToleranceS, requiredClaims: ["exp", "sub"], currentDate: new Date(nowMs()) },
      });
      // The audit log names its bearer by it.
      if (typeof payload.sub !== "string" || payload.sub === "")
        throw new errors.JWTClaimValidationFailed("", payload, "sub");
      return { answer: payload, untilMs: Math.min(endOf(payload), nowMs() + knownForMs) };
    } catch (error) {
      return { answer: refusalOf(error), untilMs: nowMs() + refusedForMs };
    }
  }
}

/** End of a token, by this machine's clock. */
const endOf = ({ exp = 0 }: JWTPayload) => (exp + clockToleranceS) * secondMs;

const tokenExpired = () => new ServiceError("UNAUTHORIZED", "the token has expired");

const idOf = (text: string) => createHash("sha256").update(text).digest("base64url");

/** Error for a token's bearer: what is wrong with it, or that the provider can't be asked. */
function refusalOf(error: unknown): ServiceError {
  if (error instanceof errors.JWTExpired) return tokenExpired();
  if (error instanceof errors.JWTClaimValidationFailed)
    return new ServiceError(
      "UNAUTHORIZED",
      `the token's claim ${cleanText(error.claim)} is missing or not as expected`,
    );
  // What asking the provider throws is none of the library's errors, but for a set of keys that is none.
  const isItsFault = error instanceof errors.JOSEError && !(error instanceof errors.JWKSInvalid);
  if (error instanceof errors.JWKSMultipleMatchingKeys)
    return new ServiceError("UNAUTHORIZED", "the token does not name the key that signed it (kid)");
  if (isItsFault) return new ServiceError("UNAUTHORIZED", "the token was not signed by the provider");
  return new ServiceError("IDENTITY_PROVIDER_UNAVAILABLE", "the identity provider's keys can't be fetched", {
    cause: new Error(describeError(error)),
    retryAfterS: 10,
  });
}

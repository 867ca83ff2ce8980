import { createHash } from "node:crypto";
import { type Static, Type } from "@sinclair/typebox";
import { createRemoteJWKSet, customFetch, decodeJwt, errors, type JWTPayload, jwtVerify } from "jose";
import { describeError, ServiceError } from "#platform/errors.ts";
import { fetchBounded } from "#platform/fetch/fetch-bounded.ts";
import type { IssuedKeys } from "#platform/http/guard/authenticate.ts";
import type { Caller } from "#platform/http/guard/identify-caller.ts";
import { isLoopback } from "#platform/http/guard/listen-address.ts";
import { highestRole, type Role } from "#platform/http/guard/roles.ts";
import { hourMs, minuteMs, secondMs } from "#platform/time.ts";
import { cleanText } from "#protocol/clean-text.ts";
import { decodeValue } from "#protocol/codec.ts";
import type { OidcConfig } from "./oidc-config.ts";

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
const fetchTimeoutMs = 5_000;
const maxAnswerBytes = 256 * 1024;

const form = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

const Discovery = Type.Object({ issuer: Type.String(), jwks_uri: Type.String({ maxLength: 2048 }) });

interface Known {
  readonly answer: Caller | ServiceError;
  readonly untilMs: number;
}

type KeySet = ReturnType<typeof createRemoteJWKSet>;

export interface OidcTokensParts {
  readonly config: OidcConfig & { readonly issuer: string; readonly audience: string };
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

/** Role of a token's bearer by the configured values; null: none. */
export function roleOfClaims(
  claims: JWTPayload,
  { rolesClaim, roles }: Pick<OidcConfig, "rolesClaim" | "roles">,
): Role | null {
  const held = new Set(claimValues(claims, rolesClaim));
  return highestRole(
    (["viewer", "operator", "admin"] as const).filter((role) => roles[role].some((value) => held.has(value))),
  );
}

/** Refuses an address over which others could hand out keys. */
function assertSafe(url: URL, what: string): void {
  if (url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url.hostname))) return;
  throw new Error(`${what}: expected an https address`);
}

/** Bearer tokens of one OpenID Connect provider. A token is checked once by its signature, and known for a while. */
export class OidcTokens implements IssuedKeys {
  /** Tokens can't be told from no tokens: without one, a request has no role. */
  readonly required = true;
  readonly #parts: OidcTokensParts;
  readonly #known = new Map<string, Known>();
  readonly #pending = new Map<string, Promise<void>>();
  #keys: { readonly set: KeySet; readonly untilMs: number } | null = null;

  constructor(parts: OidcTokensParts) {
    this.#parts = parts;
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
    if (known !== undefined && known.untilMs + secondMs > this.#parts.nowMs()) return known.answer;
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
      const { payload } = await jwtVerify(text, await this.#keySet(), {
        ...{ issuer, audience, algorithms },
        ...{ clockTolerance: clockToleranceS, requiredClaims: ["exp", "sub"], currentDate: new Date(nowMs()) },
      });
      const role = roleOfClaims(payload, config);
      const name = cleanText(`token of ${payload.sub}`).slice(0, 150);
      const endsMs = ((payload.exp ?? 0) + clockToleranceS) * secondMs;
      return {
        answer: { tenant: null, name, ...(role === null ? {} : { role }) },
        untilMs: Math.min(endsMs, nowMs() + knownForMs),
      };
    } catch (error) {
      return { answer: refusalOf(error), untilMs: nowMs() + refusedForMs };
    }
  }

  /** Keys of the provider, by its discovery document. */
  async #keySet(): Promise<KeySet> {
    const { config, nowMs } = this.#parts;
    if (this.#keys !== null && this.#keys.untilMs > nowMs()) return this.#keys.set;
    const address = new URL(`${config.issuer.replace(/\/$/, "")}/.well-known/openid-configuration`);
    assertSafe(address, "issuer");
    const answer = await fetchBounded(address, { timeoutMs: fetchTimeoutMs, maxBytes: maxAnswerBytes });
    if (!answer.ok) throw new Error(`the provider answers ${answer.status} at ${address.pathname}`);
    const decoded = decodeValue(Discovery, await answer.json());
    if (!decoded.ok) throw new Error(`the provider's discovery document: ${decoded.reason}`);
    const document: Static<typeof Discovery> = decoded.message;
    if (document.issuer !== config.issuer) throw new Error("the provider's discovery document names another issuer");
    const jwks = new URL(document.jwks_uri);
    assertSafe(jwks, "jwks_uri");
    const set = createRemoteJWKSet(jwks, {
      timeoutDuration: fetchTimeoutMs,
      [customFetch]: (url) => fetchBounded(url, { timeoutMs: fetchTimeoutMs, maxBytes: maxAnswerBytes }),
    });
    this.#keys = { set, untilMs: nowMs() + hourMs };
    return set;
  }
}

const idOf = (text: string) => createHash("sha256").update(text).digest("base64url");

/** Error for a token's bearer: what is wrong with it, or that the provider can't be asked. */
function refusalOf(error: unknown): ServiceError {
  if (error instanceof errors.JWTExpired) return new ServiceError("UNAUTHORIZED", "the token has expired");
  if (error instanceof errors.JWTClaimValidationFailed)
    return new ServiceError(
      "UNAUTHORIZED",
      `the token's claim ${cleanText(error.claim)} is missing or not as expected`,
    );
  const isItsFault =
    error instanceof errors.JWSSignatureVerificationFailed ||
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JOSEAlgNotAllowed ||
    error instanceof errors.JWSInvalid ||
    error instanceof errors.JWTInvalid;
  if (isItsFault) return new ServiceError("UNAUTHORIZED", "the token is not one that the provider signed");
  return new ServiceError("IDENTITY_PROVIDER_UNAVAILABLE", "the identity provider can't be asked for its keys", {
    cause: new Error(describeError(error)),
    retryAfterS: 10,
  });
}

/** Joins several kinds of keys. */
export function allKeys(kinds: readonly IssuedKeys[]): IssuedKeys {
  return {
    get required() {
      return kinds.some((kind) => kind.required);
    },
    identify: (key) =>
      kinds.reduce<ReturnType<IssuedKeys["identify"]>>((found, kind) => found ?? kind.identify(key), null),
    prepare: (key) => kinds.reduce<Promise<void> | null>((wait, kind) => wait ?? kind.prepare?.(key) ?? null, null),
  };
}

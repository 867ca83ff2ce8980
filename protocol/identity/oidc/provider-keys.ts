import { Type } from "@sinclair/typebox";
import {
  type CryptoKey,
  createLocalJWKSet,
  errors,
  type FlattenedJWSInput,
  type JSONWebKeySet,
  type JWSHeaderParameters,
} from "jose";
import { fetchBounded } from "#platform/fetch/fetch-bounded.ts";
import { isLoopback } from "#platform/http/guard/listen-address.ts";
import { hourMs, secondMs } from "#platform/time.ts";
import { decodeValue } from "../../codec.ts";

const fetchTimeoutMs = 5_000;
const maxAnswerBytes = 256 * 1024;
/** Keys are asked for again after this time, and when a token names an unknown one. */
const freshForMs = hourMs;
/** A provider that can't be reached is done without for this long: a key that it has withdrawn meanwhile opens that long. */
const keptForMs = 24 * hourMs;
/** Least time between two questions: tokens with invented keys must not make this program ask on end. */
const askEachMs = 30 * secondMs;

const Discovery = Type.Object({ issuer: Type.String(), jwks_uri: Type.String({ maxLength: 2048 }) });
const KeySet = Type.Object({ keys: Type.Array(Type.Record(Type.String(), Type.Unknown()), { maxItems: 256 }) });

/** Refuses an address over which others could hand out keys. */
function assertSafe(url: URL, what: string): void {
  if (url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url.hostname))) return;
  throw new Error(`${what}: expected an https address`);
}

async function fetchJson(url: URL): Promise<unknown> {
  const answer = await fetchBounded(url, { timeoutMs: fetchTimeoutMs, maxBytes: maxAnswerBytes });
  if (!answer.ok) throw new Error(`the provider answers ${answer.status} at ${url.pathname}`);
  return answer.json();
}

/** @throws Error where the provider can't be asked, or answers as none */
async function fetchKeys(issuer: string): Promise<JSONWebKeySet> {
  const address = new URL(`${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`);
  assertSafe(address, "issuer");
  const document = decodeValue(Discovery, await fetchJson(address));
  if (!document.ok) throw new Error(`the provider's discovery document: ${document.reason}`);
  if (document.message.issuer !== issuer) throw new Error("the provider's discovery document names another issuer");
  const place = new URL(document.message.jwks_uri);
  assertSafe(place, "jwks_uri");
  const keys = decodeValue(KeySet, await fetchJson(place));
  if (!keys.ok) throw new Error(`the provider's keys: ${keys.reason}`);
  return keys.message as unknown as JSONWebKeySet;
}

type Find = (header: JWSHeaderParameters, token: FlattenedJWSInput) => Promise<CryptoKey>;

/** Public keys of an OpenID Connect provider, by its discovery document. Those that it had last are kept for a day while it can't be reached. */
export class ProviderKeys {
  readonly #issuer: string;
  readonly #nowMs: () => number;
  #held: { readonly find: Find; readonly fetchedMs: number } | null = null;
  #asking: Promise<void> | null = null;
  #askedMs = Number.NEGATIVE_INFINITY;

  constructor(issuer: string, nowMs: () => number) {
    this.#issuer = issuer;
    this.#nowMs = nowMs;
  }

  /** Finds the key of a token. @throws JWKSNoMatchingKey, or what asking for the keys throws where none are held */
  async find(header: JWSHeaderParameters, token: FlattenedJWSInput): Promise<CryptoKey> {
    const ageMs = this.#nowMs() - (this.#held?.fetchedMs ?? Number.NEGATIVE_INFINITY);
    const askedAgoMs = this.#nowMs() - this.#askedMs;
    if (ageMs > keptForMs || (ageMs > freshForMs && askedAgoMs >= askEachMs)) {
      await this.#ask().catch((error) => {
        if (ageMs > keptForMs) throw error;
      });
    }
    try {
      return await this.#find(header, token);
    } catch (error) {
      const mayAsk = this.#nowMs() - this.#askedMs >= askEachMs;
      if (!(error instanceof errors.JWKSNoMatchingKey) || !mayAsk) throw error;
    }
    await this.#ask();
    return this.#find(header, token);
  }

  #find(header: JWSHeaderParameters, token: FlattenedJWSInput): Promise<CryptoKey> {
    if (this.#held === null) throw new Error("no keys are known");
    return this.#held.find(header, token);
  }

  /** Asks for the keys, once for all that wait. */
  #ask(): Promise<void> {
    this.#asking ??= fetchKeys(this.#issuer)
      .then((keys) => {
        this.#held = { find: createLocalJWKSet(keys) as Find, fetchedMs: this.#nowMs() };
      })
      .finally(() => {
        this.#askedMs = this.#nowMs();
        this.#asking = null;
      });
    return this.#asking;
  }
}

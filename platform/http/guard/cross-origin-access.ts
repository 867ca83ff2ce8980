import { type Static, Type } from "@sinclair/typebox";
import { strict } from "#platform/schema-parts.ts";

/** Setting `cors` of a listener. */
export const CorsConfig = Type.Object(
  {
    origins: Type.Array(
      Type.String({
        pattern: "^(\\*|[a-z][a-z0-9+.-]{0,31}://(\\[[0-9a-f:.]{2,45}\\]|[a-z0-9._-]{1,253})(:[0-9]{1,5})?)$",
        title: "an origin such as https://app.example.com or http://localhost:3000 (no path), or *",
      }),
      {
        default: [],
        maxItems: 64,
        description:
          "origins of web pages that may use this API from a browser; *: all, which requires apiKeys; empty: CORS is off",
      },
    ),
    maxAgeS: Type.Integer({
      default: 600,
      minimum: 0,
      maximum: 86_400,
      description: "seconds for which browsers cache the permission",
    }),
  },
  { ...strict, default: {}, description: "Web pages of other origins (CORS)." },
);
export type CorsConfig = Static<typeof CorsConfig>;

/** Headers that pages may send where they don't say which: those that clients of these APIs use. */
const usualHeaders = "authorization, api-key, content-type, x-latency-budget, x-request-id, traceparent, tracestate";
/** Names of headers in a list. OpenAI's client sends more than a dozen of its own. */
const headerNames = /^[a-z0-9_-]{1,64}( ?, ?[a-z0-9_-]{1,64}){0,63}$/i;
/** Headers of answers that pages may read besides the common ones. */
const exposedHeaders =
  "retry-after, x-request-id, x-truncated-inputs, x-prompt-name, x-thormesh-served-by, traceresponse, ratelimit, ratelimit-policy, " +
  "x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests, " +
  "x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens";

/** Web pages of other origins that may use an API, and the headers for their browsers. */
export class CrossOriginAccess {
  readonly #origins: ReadonlySet<string>;
  readonly #maxAgeS: number;

  constructor({ origins, maxAgeS }: CorsConfig) {
    this.#origins = new Set(origins);
    this.#maxAgeS = maxAgeS;
  }

  /** Returns true when a request is from a page of a configured origin. A page without an origin (`null`) could be anyone's. */
  allows(headers: Headers): boolean {
    const origin = headers.get("origin")?.toLowerCase();
    if (origin === undefined || origin === "null") return false;
    return this.#origins.has(origin) || this.#origins.has("*");
  }

  /**
   * Answers a browser's question whether a page may send a request. It comes without a key.
   * @param methods of the path that is asked about
   * @returns null for other requests
   */
  preflight(request: Request, methods: () => readonly string[]): Response | null {
    const { method, headers } = request;
    if (method !== "OPTIONS" || !headers.has("access-control-request-method") || !this.allows(headers)) return null;
    const known = methods();
    if (known.length === 0) return null;
    const asked = headers.get("access-control-request-headers") ?? "";
    const local = headers.get("access-control-request-private-network") === "true";
    return new Response(null, {
      status: 204,
      headers: {
        "access-control-allow-methods": known.join(", "),
        "access-control-allow-headers": headerNames.test(asked) ? asked : usualHeaders,
        "access-control-max-age": String(this.#maxAgeS),
        ...(local ? { "access-control-allow-private-network": "true" } : {}),
      },
    });
  }

  /** Headers that let the page read an answer, errors included; `vary` keeps caches from giving it to another origin. */
  answerHeaders(request: Request): Readonly<Record<string, string>> {
    if (this.#origins.size === 0) return {};
    const vary = "origin, access-control-request-headers, access-control-request-private-network";
    if (!this.allows(request.headers)) return { vary };
    return {
      vary,
      "access-control-allow-origin": request.headers.get("origin") as string,
      "access-control-expose-headers": exposedHeaders,
    };
  }
}

import { type TSchema, Type } from "@sinclair/typebox";
import { dayMs, hourMs } from "#platform/time.ts";

/**
 * Upper bounds of the figures in messages, generous for any board that exists. Sums over 14 days of 10,000 agents at these bounds stay
 * finite.
 */
export const bounds = {
  /** 2100-01-01: an absolute bound, beside the comparison with a clock. */
  timeMs: 4_102_444_800_000,
  /** Versions and sequence numbers: a change a second for 68 years. */
  count32: 2_147_483_647,
  durationMs: dayMs,
  textsPerS: 1_000_000,
  /** Requests, texts and tokens in one minute. */
  requests: 60_000_000,
  texts: 60_000_000,
  tokens: 1_000_000_000_000,
  /** Compute time in one minute: that of 1,024 processes without a pause. */
  computeMs: 61_440_000,
  /** Power of one board. */
  watts: 1000,
  /** An hour at the highest power: one record may hold the energy of several minutes that closed together. */
  energyJ: 3_600_000,
  measuredMs: hourMs,
  tariffUsdPerKwh: 100,
  usdPerHour: 10_000,
  /** Memory of one device: 64 TiB. */
  memoryBytes: 70_368_744_177_664,
  /** Price of one minute's requests. */
  usdPerMinute: 1_000_000,
} as const;

/** Id of a fleet or agent, which becomes a part of topics, paths and command lines. */
export const Identifier = Type.String({
  pattern: "^(?!__proto__$)[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$",
  title: "1 to 64 letters, digits, dots, dashes or underscores, not beginning with a dot or dash, not __proto__",
});

/** Name of a tenant. Restricted because tenants are part of metrics, messages and paths, in which dots alone mean a directory. */
export const TenantName = Type.String({
  pattern: "^(?!(?:__proto__|\\.{1,2})$)[A-Za-z0-9._-]{1,64}$",
  title: "1 to 64 letters, digits, dots, dashes or underscores, not just dots or __proto__",
});

/** Base address of an HTTP API: http or https, a host, optionally a port and a path; no user, no query. Empty in a last will. */
export const httpUrlPattern =
  "^https?://(\\[[0-9A-Fa-f:.]{2,45}\\]|[A-Za-z0-9_][A-Za-z0-9._-]{0,252})(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]{0,128})?$";
export const HttpUrl = Type.String({
  pattern: `${httpUrlPattern.slice(0, -1)}$|^$`,
  maxLength: 256,
  title: "http:// or https://, a host, optionally a port and a path; no user, no query",
});

export const TimeMs = Type.Integer({ minimum: 0, maximum: bounds.timeMs });

export const amount = (maximum: number) => Type.Number({ minimum: 0, maximum });
export const count = (maximum: number) => Type.Integer({ minimum: 0, maximum });
export const text = (maxLength: number) => Type.String({ maxLength });

/** Pattern of a name that becomes a key, without names that objects inherit. */
const keyPattern = (maxLength: number) => `^(?!__proto__$)[^\\u0000-\\u001f\\u007f-\\u009f]{0,${maxLength}}$`;

/** Up to `maxProperties` named values, with names of up to `keyLength` characters. (TypeBox ignores a key's `maxLength`.) */
export const record = <T extends TSchema>(keyLength: number, value: T, maxProperties: number) =>
  Type.Record(Type.String({ pattern: keyPattern(keyLength) }), value, { maxProperties, additionalProperties: false });

import { type Static, Type } from "@sinclair/typebox";
import type { Role } from "#platform/http/guard/roles.ts";
import { literals, orNull, strictObject } from "#platform/schema-parts.ts";
import { bounds, Identifier, TenantName, TimeMs, text } from "#protocol/bounds.ts";
import { CertificateText, KeyHash, TokenId } from "#protocol/identity/join-messages.ts";
import {
  AgentRole,
  ForecastReport,
  MinutePower,
  MinuteTraffic,
  maxLimit,
  StoreReceipt,
  TenantJobId,
  tenantJobKinds,
  tenantModels,
  tenantRegions,
} from "#protocol/messages.ts";

/** Values of the store's rows, checked like messages: a file can be damaged, or written by another program. */

/** Boot id; with a hash for a minute whose name was taken. */
const BootKey = Type.String({ pattern: "^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}(~[0-9a-f]{16})?$" });

export const MinuteRow = strictObject({
  agentId: Identifier,
  bootId: BootKey,
  seq: Type.Integer({ minimum: 1, maximum: bounds.count32 }),
  historical: Type.Boolean(),
  role: AgentRole,
  traffic: MinuteTraffic,
  power: orNull(MinutePower),
  forecast: orNull(ForecastReport),
});

export const OverrideRow = strictObject({
  agentId: { ...Identifier, description: "agent it is for" },
  role: orNull(AgentRole, "null: the controller decides"),
  powerMode: orNull(text(64), "name of the mode to hold; null: the agent chooses"),
  powerModeCap: orNull(text(64), "name of the most capable mode allowed; null: all are"),
  createdAtMs: TimeMs,
  expiresAtMs: TimeMs,
});

export const FreezeRow = strictObject({
  reason: text(1024),
  sinceMs: TimeMs,
  untilMs: orNull(TimeMs, "null: until it is ended"),
});

export const LeaseRow = strictObject({
  holder: text(512),
  about: { ...text(512), description: "process and machine, for people to read" },
  expiresRealMs: TimeMs,
  apiUrl: Type.Optional({
    ...text(512),
    description: "address of its API; absent: only one controller uses the store",
  }),
});

export const keyIdPattern = "^[0-9a-z]{8}$";
const KeyId = Type.String({ pattern: keyIdPattern });

/** Name of a key, for people. */
export const KeyName = Type.String({
  pattern: "^[A-Za-z0-9][A-Za-z0-9 ._@-]{0,63}$",
  title: "1 to 64 letters, digits, blanks, dots, dashes, underscores or @",
});

export const KeyRole = Type.Unsafe<Role>(literals("embed", "viewer", "operator", "admin"));

/** Models and regions of a tenant's key; null: all that its tenant may use. */
export const KeyScope = strictObject({ models: tenantModels, regions: tenantRegions });
export type KeyScope = Static<typeof KeyScope>;

export const ApiKeyRow = strictObject({
  id: KeyId,
  name: KeyName,
  role: KeyRole,
  hash: Type.String({ pattern: "^[0-9a-f]{64}$" }),
  createdAtMs: TimeMs,
  expiresAtMs: orNull(TimeMs),
  revokedAtMs: orNull(TimeMs),
  lastUsedAtMs: orNull(TimeMs),
  replaces: orNull(KeyId),
  tenant: orNull(TenantName, "null: not a tenant's"),
  scope: Type.Optional(orNull(KeyScope, "null or absent: all that its tenant may use")),
});
export type ApiKeyRow = Static<typeof ApiKeyRow>;

const limit = (what: string, maximum: number = bounds.tokens) =>
  Type.Optional(
    orNull(Type.Integer({ minimum: 0, maximum }), `${what} on all agents together; null or absent: unlimited`),
  );

/** Settings of a tenant that can be changed. */
export const TenantSettings = strictObject({
  suspended: Type.Boolean({ description: "true: its requests are refused" }),
  models: tenantModels,
  regions: tenantRegions,
  costCentre: orNull(text(128), "cost centre that reports name; null: not told"),
  requestsPerMinute: limit("requests per minute"),
  textsPerMinute: limit("texts per minute"),
  tokensPerMinute: limit("tokens per minute"),
  requestsPerDay: limit("requests per calendar day", maxLimit),
  textsPerDay: limit("texts a day", maxLimit),
  tokensPerDay: limit("tokens a day", maxLimit),
  requestsPerMonth: limit("requests per calendar month", maxLimit),
  textsPerMonth: limit("texts a month", maxLimit),
  tokensPerMonth: limit("tokens a month", maxLimit),
  retentionDays: Type.Optional(
    orNull(
      Type.Number({ minimum: 1, maximum: 3650 }),
      "days after which its cost lines lose its name, at least retention.minuteDays; null or absent: never",
    ),
  ),
  quotaTimeZone: Type.Optional(
    orNull(text(64), "time zone in which days and months begin, like Europe/Berlin; null or absent: UTC"),
  ),
});
export type TenantSettings = Static<typeof TenantSettings>;

export const TenantRow = strictObject({ id: TenantName, createdAtMs: TimeMs, settings: TenantSettings });
export type TenantRow = Static<typeof TenantRow>;

/** Erasure or export of a tenant's data. */
export const TenantJobRow = strictObject({
  id: TenantJobId,
  kind: tenantJobKinds,
  tenant: { ...TenantName, description: "name of the tenant; its pseudonym once it is erased" },
  pseudonym: { ...TenantName, description: "name under which its figures stay" },
  nameHash: orNull(
    Type.String({ pattern: "^[0-9a-f]{64}$" }),
    "keyed hash of an erased name, by which late records are recognised; null: none",
  ),
  createdMs: TimeMs,
  doneMs: orNull(TimeMs, "null: in progress"),
  agents: Type.Array(Identifier, { maxItems: 100_000, description: "agents known when it began" }),
});
export type TenantJobRow = Static<typeof TenantJobRow>;

export const TenantReceiptRow = strictObject({
  of: { ...text(64), description: "(controller), or the id of an agent" },
  atMs: { ...TimeMs, description: "when it arrived" },
  state: { ...literals("done", "retired"), description: "retired: the agent was retired and will not answer" },
  stores: Type.Array(StoreReceipt, { maxItems: 64, description: "outcome by store" }),
});
export type TenantReceiptRow = Static<typeof TenantReceiptRow>;

const total = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

/** Sums of a stretch of time, of one region and model. */
export const ServiceRow = strictObject({
  region: text(64),
  model: text(128),
  requests: { ...total, description: "requests that were answered" },
  queue: { ...total, description: "refused because the queue was full" },
  deadline: { ...total, description: "not answered in time" },
  standby: { ...total, description: "refused by an agent that does not serve" },
  rateLimit: { ...total, description: "beyond the caller's quota" },
  error: { ...total, description: "failed through the agent's fault" },
  latencyCounts: Type.Array(total, { minItems: 23, maxItems: 23, description: "answered requests by latency" }),
});

export const SetAsideRow = strictObject({
  agentId: Identifier,
  bootId: Identifier,
  seq: Type.Integer({ minimum: 1, maximum: bounds.count32 }),
  atMs: TimeMs,
  reason: text(1024),
});

export const JoinTokenRow = strictObject({
  id: TokenId,
  publicKey: { ...text(128), description: "proves possession of the token" },
  region: text(64),
  isApproved: Type.Boolean({ description: "devices that join with it need no approval" }),
  usesLeft: Type.Integer({ minimum: 0, maximum: 100_000 }),
  createdMs: TimeMs,
  expiresMs: TimeMs,
  revokedMs: orNull(TimeMs, "null: it was not revoked"),
});

export const DeviceRow = strictObject({
  agentId: Identifier,
  state: literals("pending", "joined", "revoked"),
  keyHash: { ...KeyHash, description: "the device's key" },
  previousKeyHash: orNull(KeyHash, "key before the last renewal, until the present one has been used; null: none"),
  publicKey: { ...text(256), description: "the device's key as SubjectPublicKeyInfo in base64" },
  certificate: orNull(CertificateText, "null: it has none yet"),
  region: text(64),
  tokenId: { ...TokenId, description: "token it joined with" },
  requestedMs: TimeMs,
  sinceMs: { ...TimeMs, description: "start of its present state" },
  notAfterMs: orNull(TimeMs, "end of the certificate; null: it has none"),
  reason: { ...text(512), description: "reason for a revocation, for people to read" },
});

import { type Static, Type } from "@sinclair/typebox";
import { orNull, strict } from "#platform/schema-parts.ts";
import { Identifier, TenantName, TimeMs } from "../bounds.ts";
import { KeyHash } from "../identity/join-messages.ts";
import { described, envelope, Share } from "./fields.ts";
import { Order } from "./order.ts";
import { RegionTariff, tariffLimits } from "./tariffs.ts";
import { TenantJobs } from "./tenant-jobs.ts";

/** Entries of all tenants' shares, and of all their parts of quotas, that fit into a message. */
export const maxListed = { shares: 1_000, quotaParts: 600 } as const;

/** Bounds of the tenants and keys published to agents. */
export const accessLimits = {
  maxTenants: 500,
  maxKeys: 1000,
  maxNames: 32,
  maxShares: 64,
  maxQuotaParts: 32,
  maxRevoked: 300,
} as const;

const names = (maxLength: number, description: string) =>
  orNull(
    Type.Array(Type.String({ minLength: 1, maxLength }), { minItems: 1, maxItems: accessLimits.maxNames }),
    description,
  );

/** Greatest limit: a number that JSON holds exactly. */
export const maxLimit = 1e15;

const limit = (description: string) => orNull(Type.Number({ minimum: 0, maximum: maxLimit }), description);

/** Models and regions of a tenant; null: any. */
export const tenantModels = names(128, "ids of the models that it may use; null: all");
export const tenantRegions = names(64, "regions in which its texts may be computed; null: all");

/** Limits by what is counted. */
const limitsOf = (time: string, description: string) =>
  Type.Object(
    {
      requests: limit(`requests a ${time}; null: any number`),
      texts: limit(`texts a ${time}; null: any number`),
      tokens: limit(`tokens a ${time}; null: any number`),
    },
    { ...strict, description },
  );

const QuotaParts = Type.Object(
  {
    name: Type.String({
      pattern: "^\\d{4}-\\d\\d(-\\d\\d)?$",
      description: "the day or month, like 2026-11-30 or 2026-11",
    }),
    parts: Type.Array(
      Type.Object(
        {
          agentId: described(Identifier, "an agent that had requests of the tenant in this period or the previous one"),
          part: described(Share, "its share of the quota in this period, which only grows"),
          next: described(Share, "its share at the start of the next period, even if it is cut off by then"),
        },
        strict,
      ),
      { maxItems: accessLimits.maxQuotaParts, description: "shares by agent" },
    ),
    otherPart: described(Share, "share of each other agent, in this and later periods"),
  },
  { ...strict, description: "division of the quotas of a period among agents" },
);
export type QuotaParts = Static<typeof QuotaParts>;

const Quotas = Type.Object(
  {
    timeZone: Type.String({ minLength: 1, maxLength: 64, description: "time zone of days and months" }),
    day: Type.Optional(limitsOf("day", "quotas of a day; absent: none")),
    month: Type.Optional(limitsOf("month", "quotas of a month; absent: none")),
    dayParts: Type.Optional(QuotaParts),
    monthParts: Type.Optional(QuotaParts),
  },
  { ...strict, description: "quotas of the whole fleet together, by calendar day and month; absent: none" },
);

/** Tenants and their keys, by hash, for all agents of a fleet. An agent that is cut off continues with the last one that it has. */
export const FleetAccess = Type.Object(
  {
    v: envelope.v,
    sentAtMs: described(TimeMs, "when it was created, by the controller's clock; a later one replaces an earlier one"),
    tenants: Type.Array(
      Type.Object(
        {
          tenant: described(TenantName, "name of the tenant"),
          suspended: Type.Boolean({ description: "true: its requests are refused" }),
          models: tenantModels,
          regions: tenantRegions,
          limits: Type.Optional(limitsOf("minute", "limits of the whole fleet together; absent: none")),
          shares: Type.Optional(
            Type.Array(
              Type.Object(
                {
                  agentId: described(Identifier, "an agent that recently had requests of the tenant"),
                  share: described(Share, "its share of the limits"),
                },
                strict,
              ),
              {
                maxItems: accessLimits.maxShares,
                description: "shares of the limits by agent; absent: otherShare applies to all",
              },
            ),
          ),
          otherShare: Type.Optional(described(Share, "share of the limits of each other agent; absent: all of them")),
          quotas: Type.Optional(Quotas),
        },
        strict,
      ),
      { maxItems: accessLimits.maxTenants, description: "tenants known to the controller" },
    ),
    keys: Type.Array(
      Type.Object(
        {
          id: Type.String({ pattern: "^[0-9a-z]{8}$", description: "part of the key's text" }),
          hash: Type.String({ pattern: "^[0-9a-f]{64}$", description: "keyed hash of the key's text" }),
          tenant: described(TenantName, "tenant whose requests carry it"),
          expiresAtMs: orNull(TimeMs, "expiry; null: never"),
          models: Type.Optional({
            ...tenantModels,
            description: "those of its tenant's models that it may use, by id; null or absent: all of these",
          }),
          regions: Type.Optional({
            ...tenantRegions,
            description: "those of its tenant's regions in which texts may be computed; null or absent: all of these",
          }),
        },
        strict,
      ),
      { maxItems: accessLimits.maxKeys, description: "keys that are valid until they expire; no others are" },
    ),
    audit: Type.Optional(
      Type.Object(
        {
          seq: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description: "number of the entry" }),
          hash: Type.String({ pattern: "^[0-9a-f]{64}$", description: "its hash, which covers all earlier entries" }),
        },
        {
          ...strict,
          description:
            "the newest entry of the controller's audit log, recorded by agents as witnesses; absent: the log is empty",
        },
      ),
    ),
    jobs: Type.Optional(TenantJobs),
    tariffs: Type.Optional(
      Type.Array(RegionTariff, {
        maxItems: tariffLimits.maxRegions,
        description: "regions whose electricity price varies by the hour; absent: none known",
      }),
    ),
    devices: Type.Optional(
      Type.Object(
        {
          revokedKeys: Type.Array(KeyHash, {
            maxItems: accessLimits.maxRevoked,
            description: "keys of revoked devices whose certificates have not expired, by their hashes",
          }),
          revokedAgents: Type.Array(Identifier, {
            maxItems: accessLimits.maxRevoked,
            description: "agents that have been revoked",
          }),
          passwordsUntilMs: orNull(
            TimeMs,
            "time from which agents recognise each other by certificates only; null: by keys, too",
          ),
        },
        { ...strict, description: "devices that have joined, for mutual recognition; absent: none" },
      ),
    ),
    order: Type.Optional(Order),
  },
  strict,
);
export type FleetAccess = Static<typeof FleetAccess>;
export type TenantAccess = FleetAccess["tenants"][number];
export type TenantQuotas = Static<typeof Quotas>;

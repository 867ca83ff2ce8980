import { type Static, Type } from "@sinclair/typebox";
import { strictObject } from "#platform/schema-parts.ts";

const usd = (description: string) => Type.Number({ minimum: 0, maximum: 1e6, description: `${description}, US$` });
const amount = (maximum: number, description: string) => Type.Number({ minimum: 0, maximum, description });
const name = (description: string) => Type.String({ minLength: 1, maxLength: 128, description });

const Mode = strictObject({
  name: name("power mode"),
  capacityQps: amount(1e6, "texts per second that it carries"),
  idleWatts: amount(1000, "draw without load"),
  busyWatts: amount(1000, "draw at full load"),
});

export const SavingsDevice = strictObject({
  agentId: name("the agent"),
  mode: name("mode that it is in most of the time"),
  modes: Type.Array(Mode, { maxItems: 32 }),
  meanQps: amount(1e6, "mean rate while it is on"),
  peakQps: amount(1e6, "rate that it has to carry: 95th percentile"),
  hoursOnPerDay: amount(24, "hours for which it is on"),
  idleHoursPerDay: amount(24, "of them, hours without any request"),
  sleepWatts: amount(1000, "draw asleep"),
  canSleep: Type.Boolean({ description: "its fleet can put it to sleep and wake it" }),
  usdPerKwh: usd("price of a kilowatt-hour"),
});

const SavingsModel = strictObject({
  model: name("the model"),
  agents: amount(100_000, "agents number of agents that have it"),
  unusedDays: amount(10_000, "days without a request"),
  gb: amount(100_000, "size on one agent; 0: not known"),
});

const Stored = strictObject({
  name: name("what is stored"),
  gb: amount(1e9, "size"),
  ageDays: amount(100_000, "days since it was last read"),
  class: Type.String({ maxLength: 64, description: "storage class that it is in" }),
});

const Storage = strictObject({
  perGbMonth: Type.Record(Type.String({ pattern: "^[a-z0-9-]{1,64}$" }), usd("price of a gigabyte and month"), {
    description: "prices by class",
    maxProperties: 20,
  }),
  objects: Type.Array(Stored, { maxItems: 1000 }),
  /** Classes by age, as the reference has them. */
  byAge: Type.Array(
    strictObject({
      fromDays: amount(100_000, "age"),
      class: Type.String({ maxLength: 64, description: "class from then on" }),
    }),
    {
      default: [
        { fromDays: 30, class: "infrequent" },
        { fromDays: 90, class: "cold" },
        { fromDays: 365, class: "archive" },
      ],
      maxItems: 10,
      description: "class that suits an age, the youngest first",
    },
  ),
});

const Cdn = strictObject({
  gbPerMonth: amount(1e9, "egress of a month"),
  class: name("price class in use"),
  classes: Type.Array(
    strictObject({
      name: name("price class"),
      usdPerGb: usd("price of a gigabyte"),
      addedMs: Type.Array(
        strictObject({
          where: name("part of the world"),
          share: amount(1, "share of users there"),
          ms: amount(10_000, "latency that the class adds there"),
        }),
        { default: [], maxItems: 100, description: "where it is slower than the widest class; elsewhere 0" },
      ),
    }),
    { minItems: 1, maxItems: 20 },
  ),
  maxAddedMs: Type.Number({ default: 5, minimum: 0, maximum: 10_000, description: "mean latency that may be added" }),
});

const Functions = strictObject({
  provisioned: amount(100_000, "instances that are kept warm"),
  usdPerInstanceMonth: usd("price of keeping one warm for a month"),
  requestsPerMonth: amount(1e13, "requests"),
  coldStartsPerMonth: amount(1e13, "cold starts that there would be without warm instances"),
  coldStartMs: amount(600_000, "time that a cold start takes"),
  maxColdShare: Type.Number({
    default: 0.01,
    minimum: 0,
    maximum: 1,
    description: "share of requests that may meet one",
  }),
});

const Dns = strictObject({
  checks: amount(100_000, "health checks"),
  intervalS: Type.Number({ minimum: 1, maximum: 86_400, description: "seconds between two of one" }),
  usdPerMillionChecks: usd("price of a million checks"),
  maxDetectionS: Type.Number({
    minimum: 1,
    maximum: 86_400,
    description: "seconds in which a fault is to be seen, by three checks",
  }),
});

const Monitoring = strictObject({
  gbPerDay: amount(1e6, "metrics and logs stored a day"),
  retentionDays: amount(10_000, "days for which they are kept"),
  usedDays: amount(10_000, "oldest data that was read in the last months, days"),
  usdPerGbMonth: usd("price of a gigabyte and month"),
  tracesPerMonth: amount(1e13, "requests that could be traced"),
  sampling: amount(1, "share of them that is traced"),
  neededTracesPerMonth: amount(1e13, "traces that are enough"),
  usdPerMillionTraces: usd("price of a million traces"),
});

const Instances = strictObject({
  name: name("group of instances"),
  type: name("instance type"),
  region: Type.String({ maxLength: 64, description: "where they are" }),
  option: name("how they are bought, e.g. on-demand"),
  count: amount(1e6, "instances"),
  hoursPerMonth: amount(744, "hours for which each runs in a month"),
  usdPerHour: usd("what an hour costs"),
  offers: Type.Array(
    strictObject({
      type: name("instance type, of the same use"),
      region: Type.String({ maxLength: 64, description: "where" }),
      option: name("how it is bought"),
      usdPerHour: usd("what an hour costs"),
      addedMs: Type.Number({ default: 0, minimum: 0, maximum: 10_000, description: "latency that it adds" }),
    }),
    { default: [], maxItems: 100, description: "what could be had instead; none: what the catalogue has of the type" },
  ),
  maxAddedMs: Type.Number({ default: 20, minimum: 0, maximum: 10_000, description: "latency that may be added" }),
});

/** Services outside the fleet, whose use the controller can't see. */
export const SavingsServices = strictObject({
  storage: Type.Optional(Storage),
  cdn: Type.Optional(Cdn),
  functions: Type.Optional(Functions),
  dns: Type.Optional(Dns),
  monitoring: Type.Optional(Monitoring),
  instances: Type.Optional(Type.Array(Instances, { maxItems: 200 })),
});
export type SavingsServices = Static<typeof SavingsServices>;

export const SavingsInput = strictObject({
  devices: Type.Array(SavingsDevice, { default: [], maxItems: 100_000 }),
  models: Type.Array(SavingsModel, { default: [], maxItems: 100_000 }),
  services: { ...SavingsServices, default: {} },
});
export type SavingsInput = Static<typeof SavingsInput>;
export type SavingsDevice = Static<typeof SavingsDevice>;

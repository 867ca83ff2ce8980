import { type Static, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { orNull } from "#platform/config-fields.ts";
import { literals, strictObject } from "#platform/schema-parts.ts";
import { TimeMs, text } from "#protocol/bounds.ts";
import { versionPattern } from "#protocol/release/version-order.ts";

const ProgramVersion = Type.String({ pattern: versionPattern, maxLength: 64, title: "a version such as 1.2.0" });

const RolloutWave = strictObject({
  share: Type.Number({
    exclusiveMinimum: 0,
    maximum: 1,
    description: "share of the wave's agents, chosen by a hash of their ids; includes those of earlier waves",
  }),
  regions: Type.Array(text(64), { maxItems: 32, default: [], description: "regions of the wave; none named: all" }),
});

/** Plan of an operator for bringing a version to the fleet. */
export const RolloutPlan = strictObject({
  version: { ...ProgramVersion, description: "version version that the agents are to run" },
  waves: Type.Array(RolloutWave, {
    minItems: 1,
    maxItems: 16,
    default: [
      { share: 0.05, regions: [] },
      { share: 0.25, regions: [] },
      { share: 1, regions: [] },
    ],
    description: "waves in order; the next begins when the present one is complete",
  }),
  soakS: Type.Integer({
    minimum: 0,
    maximum: 30 * 86_400,
    default: 600,
    description: "seconds between the end of a wave and the start of the next",
  }),
  maxAtOnce: Type.Integer({
    minimum: 1,
    maximum: 1000,
    default: 5,
    description: "maximum number of agents updated at the same time, in all regions together",
  }),
  maxFailures: Type.Integer({
    minimum: 0,
    maximum: 10_000,
    default: 0,
    description: "halt when more agents than this roll back",
  }),
  maxBurnRate: orNull(
    Type.Number({ minimum: 0, maximum: 1000 }),
    "halt when the fleet's hourly burn rate of the error budget exceeds this; null: never",
  ),
  updateWithinS: Type.Integer({
    minimum: 30,
    maximum: 86_400,
    default: 1200,
    description: "an agent that has not reported its update within this time counts as failed",
  }),
  window: orNull(
    strictObject({
      fromMinute: Type.Integer({ minimum: 0, maximum: 1439, description: "minute of the day, in UTC" }),
      toMinute: Type.Integer({
        minimum: 0,
        maximum: 1439,
        description: "minute of the day at which it ends; before fromMinute: on the next day",
      }),
      days: Type.Array(Type.Integer({ minimum: 0, maximum: 6 }), {
        maxItems: 7,
        description: "days on which it begins, 0: Sunday; none named: every day",
      }),
    }),
    "time of day in which updates may begin; null: any",
  ),
});
export type RolloutPlan = Static<typeof RolloutPlan>;

/** Plan as it is asked for: what is left out has its default. */
export const RolloutRequest = strictObject({
  ...Type.Partial(RolloutPlan).properties,
  version: RolloutPlan.properties.version,
  waves: Type.Optional(
    Type.Array(
      strictObject({
        share: RolloutWave.properties.share,
        regions: Type.Optional(RolloutWave.properties.regions),
      }),
      { minItems: 1, maxItems: 16, description: RolloutPlan.properties.waves.description ?? "" },
    ),
  ),
});
export type RolloutRequest = Static<typeof RolloutRequest>;

/** Fills in the defaults. */
export const planOf = (request: RolloutRequest): RolloutPlan =>
  Value.Default(RolloutPlan, Value.Clone(request)) as RolloutPlan;

export const RolloutState = literals("running", "paused", "halted", "stopped", "done");
export type RolloutState = Static<typeof RolloutState>;

/** Roll-out as it is kept over a restart. Which agents were told stands in their desired documents. */
export const KeptRollout = strictObject({
  id: Type.String({ pattern: "^[0-9a-z]{8}$" }),
  plan: RolloutPlan,
  state: RolloutState,
  reason: text(1024),
  startedAtMs: TimeMs,
  /** Index of the wave under way, and the time from which it is. */
  wave: Type.Integer({ minimum: 0, maximum: 16 }),
  waveSinceMs: TimeMs,
  /** Failures that an operator has accepted by resuming. */
  pardoned: Type.Array(text(128), { maxItems: 10_000 }),
});
export type KeptRollout = Static<typeof KeptRollout>;

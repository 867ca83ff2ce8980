import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { amount, bounds, count, HttpUrl, Identifier, record, TimeMs, text } from "./bounds.ts";

/** The schemas of everything that crosses MQTT (see docs/mqtt.md). All times are ms since the Unix epoch, all payloads JSON in UTF-8. */

const strict = { additionalProperties: false } as const;
const literals = <T extends string>(...values: T[]) => Type.Union(values.map((value) => Type.Literal(value)));
const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

export { Identifier } from "./bounds.ts";

const Qps = amount(bounds.textsPerS);
const Watts = amount(bounds.watts);
const Energy = amount(bounds.energyJ);
const Version = Type.Integer({ minimum: 1, maximum: bounds.count32 });
const ModeId = count(65_535);
/** Figures about forecasts, in percent of what came: of next to nothing they may be large. */
const Percent = amount(1e9);
const MacAddress = Type.String({ pattern: "^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$" });

/** active = takes requests; standby = answers 503 with the peers that serve; draining = finishes what it has, takes nothing new. */
export const AgentRole = literals("active", "standby", "draining");
export type AgentRole = Static<typeof AgentRole>;

const envelope = { v: Type.Literal(1), agentId: Identifier, bootId: Identifier, sentAtMs: TimeMs };

export const Presence = Type.Object(
  {
    ...envelope,
    status: literals("online", "offline"),
    role: AgentRole,
    /** Base address of the agent's HTTP API, as others reach it. */
    url: HttpUrl,
    region: text(64),
    version: text(64),
    /** Ids of the models that are loaded. */
    models: Type.Array(text(128), { maxItems: 64 }),
    /** The device sleeps while it stands by: it is online in so far as a peer can wake it. Absent while it is awake. */
    asleep: Type.Optional(
      Type.Object(
        {
          /** The Ethernet address to wake it by. */
          mac: orNull(MacAddress),
        },
        strict,
      ),
    ),
  },
  strict,
);
export type Presence = Static<typeof Presence>;

/** One power mode of a board and, where measured or given by the board model, what it can do. */
export const PowerModeProfile = Type.Object(
  {
    id: ModeId,
    name: text(64),
    capacityQps: orNull(Qps),
    busyWatts: orNull(Watts),
    idleWatts: orNull(Watts),
  },
  strict,
);
export type PowerModeProfile = Static<typeof PowerModeProfile>;

export const Birth = Type.Object(
  {
    ...envelope,
    url: HttpUrl,
    region: text(64),
    version: text(64),
    board: Type.Object(
      {
        kind: literals("jetson", "simulated", "none"),
        name: text(128),
        /** Of the board's system software; absent where it is not known. */
        release: Type.Optional(text(64)),
        /** By falling capacity: the most capable mode first. */
        powerModes: Type.Array(PowerModeProfile, { maxItems: 32 }),
        /** Where the modes' figures come from; absent from agents that do not say. */
        figures: Type.Optional(
          Type.Object(
            {
              /** calibrated = measured on this board; board = as the board or its simulation says. */
              kind: literals("calibrated", "board"),
              model: orNull(text(128)),
              texts: orNull(text(64)),
              targetP95Ms: orNull(amount(bounds.durationMs)),
              calibratedAtMs: orNull(TimeMs),
            },
            strict,
          ),
        ),
        /** What of the board's power does not work. */
        faults: Type.Optional(
          Type.Array(Type.Object({ fault: text(64), reason: text(512) }, strict), {
            maxItems: 16,
          }),
        ),
      },
      strict,
    ),
    models: Type.Array(Type.Object({ id: text(128), dimension: count(65_536), revision: text(128) }, strict), {
      maxItems: 64,
    }),
    /** What this device costs when it differs from the fleet's defaults. */
    prices: Type.Object(
      {
        tariffUsdPerKwh: orNull(amount(bounds.tariffUsdPerKwh)),
        amortisationUsdPerHour: orNull(amount(bounds.usdPerHour)),
      },
      strict,
    ),
    tags: record(64, text(256), 64),
  },
  strict,
);
export type Birth = Static<typeof Birth>;

export const ForecastReport = Type.Object(
  {
    madeAtMs: TimeMs,
    /** Which model made it: "lstm", or the simple one that stood in. */
    model: text(64),
    /** Why this model, for people. */
    reason: text(512),
    stepMs: Type.Integer({ minimum: 1, maximum: bounds.durationMs }),
    /** Texts a second in each of the coming steps, as many above as below: a request of ten texts counts ten. */
    qps: Type.Array(Qps, { minItems: 1, maxItems: 240 }),
    /** What each of these steps exceeds once in ten times and once in twenty; absent until enough is learnt. */
    qps90: Type.Optional(Type.Array(Qps, { minItems: 1, maxItems: 240 })),
    qps95: Type.Optional(Type.Array(Qps, { minItems: 1, maxItems: 240 })),
    /** Quantiles of the highest of the coming steps, which is what capacity is needed for: a path's own maximum is nearly always too low. */
    peakQps: Type.Optional(Type.Object({ q50: Qps, q90: Qps, q95: Qps }, strict)),
    /** Which models the path is averaged from, and their shares. */
    shares: Type.Optional(record(64, Type.Number({ minimum: 0, maximum: 1 }), 64)),
  },
  strict,
);
export type ForecastReport = Static<typeof ForecastReport>;

/** What the forecasts of a stretch of time were worth, now that their time has come. Figures that rest on nothing are null. */
export const ForecastAccuracy = Type.Object(
  {
    windowMs: Type.Integer({ minimum: 1, maximum: 400 * bounds.durationMs }),
    /** Forecasts that were compared with what came. */
    forecasts: count(bounds.count32),
    /** 100 × sum of |forecast - actual| / sum of what came, over all their steps. */
    wapePercent: orNull(Percent),
    /** The same with its sign: above zero, more was foretold than came. */
    biasPercent: orNull(Type.Number({ minimum: -1e9, maximum: 1e9 })),
    /** As wapePercent, for the highest step of each forecast. */
    peakWapePercent: orNull(Percent),
    /** Share of peaks within their 0.95 quantile. */
    coverage95: orNull(Type.Number({ minimum: 0, maximum: 1 })),
    /** Rises that called for more capacity: a quarter above what was there, and more than noise. */
    rises: count(bounds.count32),
    hits: count(bounds.count32),
    misses: count(bounds.count32),
    falseAlarms: count(bounds.count32),
    /** Of the rises. */
    hitRate: orNull(Type.Number({ minimum: 0, maximum: 1 })),
    missRate: orNull(Type.Number({ minimum: 0, maximum: 1 })),
    /** Of the alarms. */
    falseAlarmRate: orNull(Type.Number({ minimum: 0, maximum: 1 })),
    /** From the first warning to the rise, over the hits. */
    medianLeadMinutes: orNull(amount(1e6)),
    /** Forecasts by the model that made them. */
    served: record(64, count(bounds.count32), 64),
  },
  strict,
);
export type ForecastAccuracy = Static<typeof ForecastAccuracy>;

/** What is told apart for tenants. */
const TenantName = text(64);

export const TenantTraffic = Type.Object(
  {
    tenant: TenantName,
    requests: count(bounds.requests),
    texts: count(bounds.texts),
    tokens: count(bounds.tokens),
    computeMs: amount(bounds.computeMs),
  },
  strict,
);
export type TenantTraffic = Static<typeof TenantTraffic>;

export const ModelTraffic = Type.Object(
  {
    model: text(128),
    /** Requests that were answered with vectors. */
    requests: count(bounds.requests),
    texts: count(bounds.texts),
    tokens: count(bounds.tokens),
    /** Milliseconds of inference. */
    computeMs: amount(bounds.computeMs),
    latencyCounts: Type.Array(count(bounds.requests), { minItems: 23, maxItems: 23 }),
    /** The same by tenant, adding up to the above; absent where all of it is the default tenant's, and from agents that know none. */
    tenants: Type.Optional(Type.Array(TenantTraffic, { maxItems: 512 })),
  },
  strict,
);
export type ModelTraffic = Static<typeof ModelTraffic>;

export const MinuteTraffic = Type.Object(
  {
    minuteStartMs: TimeMs,
    /** How much of the minute the agent was there to see: 60,000 except in the first and last minute of a boot. */
    observedMs: amount(60_000),
    /** Requests that failed for a reason on our side (5xx other than standby). */
    errors: count(bounds.requests),
    /** Requests turned away: 429, and 503 while standby or draining. */
    rejected: count(bounds.requests),
    models: Type.Array(ModelTraffic, { maxItems: 64 }),
  },
  strict,
);
export type MinuteTraffic = Static<typeof MinuteTraffic>;

export const MinutePower = Type.Object(
  {
    /** The mode at the end of the minute. */
    modeId: ModeId,
    modeName: text(64),
    /** Integrated over the part of the minute that was measured. */
    energyJ: Energy,
    /** How much of the minute has power samples; the rest is a gap, not zero. */
    measuredMs: amount(bounds.measuredMs),
    /** Of the energy, what the mode draws with nothing to do; absent where that is not known. */
    idleJ: Type.Optional(Energy),
    /** Of the energy, what was drawn above that, and the models' parts of it by compute time. */
    activeJ: Type.Optional(Energy),
    models: Type.Optional(
      Type.Array(
        Type.Object(
          {
            model: text(128),
            energyJ: Energy,
            /** Adding up to energyJ; absent where all of it is the default tenant's. */
            tenants: Type.Optional(
              Type.Array(Type.Object({ tenant: TenantName, energyJ: Energy }, strict), { maxItems: 512 }),
            ),
          },
          strict,
        ),
        { maxItems: 64 },
      ),
    ),
    maxTemperatureC: orNull(Type.Number({ minimum: -60, maximum: 200 })),
    gpuUtilization: orNull(Type.Number({ minimum: 0, maximum: 1 })),
  },
  strict,
);
export type MinutePower = Static<typeof MinutePower>;

/** The record of one minute. (agentId, bootId, seq) names it for good: a repeat is the same record. */
export const MinuteData = Type.Object(
  {
    ...envelope,
    seq: Type.Integer({ minimum: 1, maximum: bounds.count32 }),
    /** True when it waited in the outbox instead of being sent as the minute ended. */
    historical: Type.Boolean(),
    role: AgentRole,
    queueDepth: count(10_000_000),
    traffic: MinuteTraffic,
    power: orNull(MinutePower),
    forecast: orNull(ForecastReport),
    /** Of the newest 24 hours; left out by agents that do not measure it. */
    forecastAccuracy: Type.Optional(orNull(ForecastAccuracy)),
  },
  strict,
);
export type MinuteData = Static<typeof MinuteData>;

export const Desired = Type.Object(
  {
    v: Type.Literal(1),
    agentId: Identifier,
    /** Counts up by one with every change for this agent. */
    version: Version,
    issuedAtMs: TimeMs,
    role: AgentRole,
    /** A mode's name to hold, or null: the agent chooses for itself. */
    powerMode: orNull(text(64)),
    /** The most capable mode that is allowed, by name; null or absent: all are. */
    powerModeCap: Type.Optional(orNull(text(64))),
    /** When the cap ends; null or absent: not by itself. */
    powerModeCapUntilMs: Type.Optional(orNull(TimeMs)),
    /** When an operator's override ends; null when there is none. After it the agent chooses its own mode again. */
    powerModeUntilMs: orNull(TimeMs),
    reason: text(1024),
  },
  strict,
);
export type Desired = Static<typeof Desired>;

export const Reported = Type.Object(
  {
    ...envelope,
    /** The desired version this agent has taken in; null before the first. */
    desiredVersion: orNull(Version),
    role: AgentRole,
    powerMode: orNull(text(64)),
    /** What is not as desired, and why. */
    differs: Type.Array(
      Type.Object(
        {
          field: literals("role", "powerMode"),
          desired: text(64),
          reported: text(64),
          reason: text(512),
        },
        strict,
      ),
      { maxItems: 8 },
    ),
  },
  strict,
);
export type Reported = Static<typeof Reported>;

export const Command = Type.Object(
  {
    v: Type.Literal(1),
    id: Identifier,
    agentId: Identifier,
    kind: literals("rebirth", "drain"),
    issuedAtMs: TimeMs,
    expiresAtMs: TimeMs,
  },
  strict,
);
export type Command = Static<typeof Command>;

export const CommandResult = Type.Object(
  {
    ...envelope,
    id: Identifier,
    state: literals("received", "running", "succeeded", "failed", "expired"),
    reason: text(512),
  },
  strict,
);
export type CommandResult = Static<typeof CommandResult>;

export const ControllerState = Type.Object(
  {
    v: Type.Literal(1),
    status: literals("online", "offline"),
    instanceId: Identifier,
    version: text(64),
    sentAtMs: TimeMs,
    /** Since when it acts, by its machine's clock; earlier versions don't say. */
    sinceMs: Type.Optional(TimeMs),
    /** The nonce of the probe that this answers. */
    answers: Type.Optional(Identifier),
  },
  strict,
);
export type ControllerState = Static<typeof ControllerState>;

import { type Static, Type } from "@sinclair/typebox";
import { ForecastConfig } from "#forecast/forecast-config.ts";
import { NightTrainingConfig } from "#forecast/night/night-training-config.ts";
import { ClockSection } from "#platform/clock.ts";
import { logLevels } from "#platform/log.ts";
import { amount, bounds, httpUrlPattern, Identifier, record } from "#protocol/bounds.ts";
import { AgentRole } from "#protocol/messages.ts";
import { ModelSourceConfig } from "./model-source-config.ts";
import { PowerConfig } from "./power/power-config.ts";
import { ServingConfig } from "./serving/serving-config.ts";

const strict = { additionalProperties: false } as const;
const orNull = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) =>
  Type.Union([schema, Type.Null()], { default: null });

/** Everything an agent can be told. Every key has a default; `{}` is a valid configuration. */
export const AgentConfig = Type.Object(
  {
    fleet: Type.Union([Identifier], { default: "default", description: "the fleet this agent belongs to" }),
    id: Type.Union([Identifier, Type.Null()], { default: null, description: "null: the host's name" }),
    region: Type.String({
      default: "",
      maxLength: 64,
      description: "where the device stands; for people and for cost by region",
    }),
    role: Type.Union([...AgentRole.anyOf], {
      default: "active",
      description: "the role until a controller says otherwise",
    }),
    stateDir: orNull(Type.String({ minLength: 1, maxLength: 4096 })),
    logLevel: Type.Union(
      logLevels.map((level) => Type.Literal(level)),
      { default: "info" },
    ),
    advertiseUrl: orNull(
      Type.String({
        pattern: httpUrlPattern,
        maxLength: 256,
        title: "http:// or https://, a host, perhaps a port and a path; no user, no query",
      }),
    ),
    tags: { ...record(64, Type.String({ maxLength: 256 }), 64), default: {} },
    prices: Type.Object(
      {
        tariffUsdPerKwh: orNull(amount(bounds.tariffUsdPerKwh)),
        amortisationUsdPerHour: orNull(amount(bounds.usdPerHour)),
      },
      { ...strict, default: {}, description: "what differs from the fleet's prices" },
    ),
    broker: Type.Object(
      {
        url: Type.String({ default: "mqtt://127.0.0.1:1883", pattern: "^(mqtts?|tcp|ssl|wss?)://", maxLength: 2048 }),
        username: Type.Union([Type.String({ minLength: 1, maxLength: 1024 }), Type.Null()], {
          default: null,
          description: "null: the agent's id, as the controller's own broker requires",
        }),
        password: Type.Union([Type.String({ minLength: 1, maxLength: 4096 }), Type.Null()], {
          default: null,
          description:
            "as printed by thormesh controller secret ID; not needed with a controller of the same user on this machine",
        }),
        passwordFile: Type.Union([Type.String({ minLength: 1, maxLength: 4096 }), Type.Null()], {
          default: null,
          description: "a file with the password, readable only by this user or root (0600)",
        }),
        keyFile: Type.Union([Type.String({ minLength: 1, maxLength: 4096 }), Type.Null()], {
          default: null,
          description:
            "the controller's broker.key on this machine; null: look where a controller of this user leaves it",
        }),
        keepAliveS: Type.Integer({ default: 15, minimum: 1, maximum: 3600 }),
      },
      { ...strict, default: {} },
    ),
    outbox: Type.Object(
      {
        maxBytes: Type.Integer({ default: 64 * 1024 * 1024, minimum: 65_536, maximum: 1_099_511_627_776 }),
        maxAgeDays: Type.Number({ default: 14, minimum: 0.01, maximum: 400 }),
        waitForController: Type.Boolean({
          default: true,
          description: "send records only while a controller is online; false: to whoever listens",
        }),
      },
      { ...strict, default: {}, description: "how much waits on disk while the broker is away" },
    ),
    recordRetentionDays: Type.Number({
      default: 35,
      minimum: 1,
      maximum: 3650,
      description: "how long minutes are kept on the device",
    }),
    serving: ServingConfig,
    models: ModelSourceConfig,
    forecast: Type.Object({ ...ForecastConfig.properties, training: NightTrainingConfig }, { ...strict, default: {} }),
    power: PowerConfig,
    clock: ClockSection,
  },
  strict,
);
export type AgentConfig = Static<typeof AgentConfig>;

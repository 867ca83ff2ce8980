import { type Static, Type } from "@sinclair/typebox";
import { ForecastConfig } from "#forecast/forecast-config.ts";
import { NightTrainingConfig } from "#forecast/night/night-training-config.ts";
import { ClockSection } from "#platform/clock.ts";
import { integer, Line, number, orNull, Path } from "#platform/config-fields.ts";
import { logLevels } from "#platform/log.ts";
import { literals, strict } from "#platform/schema-parts.ts";
import { amount, bounds, httpUrlPattern, Identifier, record } from "#protocol/bounds.ts";
import { AgentRole } from "#protocol/messages.ts";
import { MeshConfig } from "./mesh/mesh-config.ts";
import { ModelSourceConfig } from "./model-source-config.ts";
import { PowerConfig } from "./power/power-config.ts";
import { ServingConfig } from "./serving/serving-config.ts";
import { SloConfig } from "./slo-config.ts";
import { FleetUpdateConfig } from "./update/fleet-update-config.ts";

/** Everything an agent can be told. Every key has a default; `{}` is a valid configuration. */
export const AgentConfig = Type.Object(
  {
    fleet: Type.Union([Identifier], { default: "default", description: "the fleet this agent belongs to" }),
    id: orNull(Identifier, "id of this agent in its fleet; null: the host name"),
    region: Type.String({
      default: "",
      maxLength: 64,
      description: "where the device is located; for people and for cost by region",
    }),
    role: Type.Union([...AgentRole.anyOf], {
      default: "active",
      description: "role until a controller sets another",
    }),
    stateDir: orNull(
      Path,
      "directory of the records, one agent each; null: $STATE_DIRECTORY, else ~/.local/state/thormesh/agent",
    ),
    logLevel: { ...literals(...logLevels), default: "info", description: "minimum severity of logged lines" },
    advertiseUrl: orNull(
      Type.String({
        pattern: httpUrlPattern,
        maxLength: 256,
        title: "http:// or https://, a host, optionally a port and a path; no user, no query",
      }),
      "address at which peers and clients reach this agent; null: the listen address",
    ),
    tags: {
      ...record(64, Type.String({ maxLength: 256 }), 64),
      default: {},
      description: "your own labels, shown by the controller",
    },
    prices: Type.Object(
      {
        tariffUsdPerKwh: orNull(amount(bounds.tariffUsdPerKwh), "price of electricity; null: the controller's"),
        amortisationUsdPerHour: orNull(
          amount(bounds.usdPerHour),
          "cost of an hour of owning the device, in use or not; null: the controller's",
        ),
      },
      { ...strict, default: {}, description: "Prices that differ from the fleet's." },
    ),
    broker: Type.Object(
      {
        url: Type.String({
          default: "mqtt://127.0.0.1:1883",
          pattern: "^(mqtts?|tcp|ssl|wss?)://",
          maxLength: 2048,
          description: "address of the fleet's MQTT broker",
        }),
        username: orNull(Line, "null: the agent's id, as the controller's own broker requires"),
        password: orNull(
          Line,
          "password printed by thormesh controller secret ID; null: not needed if a controller of the same user runs on this machine",
        ),
        passwordFile: orNull(Path, "a file with the password, readable only by this user or root (0600); null: none"),
        keyFile: orNull(
          Path,
          "the controller's broker.key on this machine; null: where a controller of this user puts it",
        ),
        keepAliveS: integer(
          15,
          [1, 3600],
          "the broker reports the agent offline after this long without a sign of life",
        ),
        beatS: number(
          10,
          [1, 3600],
          "seconds between two beats, which report to the controller what users experience; varied by up to a fifth, and shorter when trouble begins",
        ),
      },
      { ...strict, default: {}, description: "Connection to the fleet's MQTT broker." },
    ),
    outbox: Type.Object(
      {
        maxBytes: integer(
          64 * 1024 * 1024,
          [65_536, 1_099_511_627_776],
          "disk space of waiting records; beyond it the oldest are dropped",
        ),
        maxAgeDays: number(14, [0.01, 400], "age at which a waiting record is dropped"),
        waitForController: Type.Boolean({
          default: true,
          description: "send records only while a controller is online; false: whenever the broker is connected",
        }),
      },
      { ...strict, default: {}, description: "Records that wait on disk while the broker is away." },
    ),
    recordRetentionDays: number(35, [1, 3650], "how long minutes are kept on the device"),
    serving: ServingConfig,
    mesh: MeshConfig,
    models: ModelSourceConfig,
    forecast: Type.Object(
      { ...ForecastConfig.properties, training: NightTrainingConfig },
      { ...strict, default: {}, description: "Forecast of the agent's own traffic." },
    ),
    power: PowerConfig,
    slo: SloConfig,
    update: FleetUpdateConfig,
    clock: ClockSection,
  },
  strict,
);
export type AgentConfig = Static<typeof AgentConfig>;

import { type Static, Type } from "@sinclair/typebox";
import { ForecastConfig } from "#forecast/forecast-config.ts";
import { ClockSection } from "#platform/clock.ts";
import { integer, Line, number, orNull, Path } from "#platform/config-fields.ts";
import { ApiKeyText, HostNames } from "#platform/http/guard/access-config.ts";
import { TlsConfig } from "#platform/http/tls/tls-config.ts";
import { logLevels } from "#platform/log.ts";
import { strictObject } from "#platform/schema-parts.ts";
import { httpUrlPattern } from "#protocol/bounds.ts";
import { Identifier } from "#protocol/messages.ts";
import { OidcConfig } from "./access/oidc-config.ts";
import { AlertsConfig } from "./alerts/alerts-config.ts";
import { BrokerLimits } from "./broker/broker-config.ts";
import { CostConfig } from "./cost/cost-config.ts";
import { IdentityConfig } from "./identity/identity-config.ts";
import { ScalingConfig } from "./scaling/loop/scaling-config.ts";
import { SloConfig } from "./scaling/slo/slo-config.ts";
import { StoreConfig } from "./store/postgres/store-config.ts";

const host = (description: string) => Type.String({ default: "127.0.0.1", minLength: 1, maxLength: 253, description });
const port = (byDefault: number) => integer(byDefault, [0, 65_535], "0: any free port");

/** Everything a controller can be told. Every key has a default; `{}` is a valid configuration. */
export const ControllerConfig = strictObject({
  fleet: Type.Union([Identifier], { default: "default", description: "the fleet that this controller manages" }),
  stateDir: orNull(Path, "directory of the records; null: $STATE_DIRECTORY, else ~/.local/state/thormesh/controller"),
  logLevel: Type.Union(
    logLevels.map((level) => Type.Literal(level)),
    { default: "info", description: "minimum severity of logged lines" },
  ),
  insecure: Type.Boolean({
    default: false,
    description: "allow other machines to use the API without a key or the embedded broker without encryption",
  }),
  api: strictObject(
    {
      host: host("address of the HTTP API"),
      port: port(7070),
      publicUrl: orNull(
        Type.String({ pattern: httpUrlPattern, maxLength: 256 }),
        "address at which clients reach the API, which standby controllers report; null: host (or this machine's name) and port",
      ),
      allowedHosts: HostNames,
      apiKeys: Type.Array(ApiKeyText, {
        default: [],
        maxItems: 256,
        description: "keys with the role admin; thormesh keys creates others; with no keys at all, none is needed",
      }),
      oidc: OidcConfig,
      tls: { ...TlsConfig, description: "Encryption (TLS) of the API; by default there is none." },
    },
    { default: {}, description: "The controller's HTTP API." },
  ),
  broker: strictObject(
    {
      embedded: Type.Boolean({ default: true, description: "run a broker in the controller; not used with url" }),
      host: host("address of the embedded broker"),
      port: port(1883),
      plainText: Type.Boolean({
        default: false,
        description: "let other machines reach the embedded broker without encryption: only for networks you trust",
      }),
      shareKey: Type.Boolean({
        default: true,
        description: "put the broker's key (mode 0600) where agents of the same user on this machine find it",
      }),
      tls: strictObject(
        {
          host: host("listening address for devices that have joined"),
          port: orNull(
            Type.Integer({ minimum: 0, maximum: 65_535 }),
            "its port, with certificates on both sides; 0: any free port; null: none",
          ),
        },
        { default: {}, description: "Encrypted listener of the embedded broker." },
      ),
      limits: BrokerLimits,
      url: orNull(
        Type.String({ pattern: "^(mqtts?|tcp|ssl|wss?)://", maxLength: 2048 }),
        "an external broker; null: the embedded one",
      ),
      username: orNull(Line, "the controller's user name at the external broker; null: none"),
      password: orNull(Line, "the controller's password there; null: none"),
      passwordFile: orNull(Path, "a file (0600) with the password; null: none"),
    },
    { default: {}, description: "The fleet's MQTT broker." },
  ),
  identity: IdentityConfig,
  store: StoreConfig,
  ingest: strictObject(
    {
      staleAfterMs: integer(
        180_000,
        [1000, 86_400_000],
        "an agent that has been silent for this long counts as offline",
      ),
      rebirthIntervalMs: integer(
        60_000,
        [0, 86_400_000],
        "minimum time between two requests for an agent's birth message",
      ),
      maxAgents: integer(
        10_000,
        [1, 100_000],
        "maximum number of agents; a further one replaces an offline agent without any minute on record, or is refused",
      ),
      retireAfterDays: number(
        30,
        [0.01, 3650],
        "an agent silent for this long is retired; its minutes are kept as long as others",
      ),
    },
    { default: {}, description: "Messages of agents." },
  ),
  retention: strictObject(
    {
      minuteDays: number(14, [0.01, 400], "how long minute records are kept"),
      decisionDays: number(90, [0.01, 3650], "how long decisions are kept"),
      auditDays: number(400, [30, 3650], "how long audit log entries are kept (at most 200,000)"),
      serviceDays: number(400, [31, 3650], "how long hourly sums for the SLO are kept"),
      costHourDays: number(35, [2, 3650], "how long agents' hourly cost lines are kept"),
      costDays: number(400, [31, 3650], "how long agents' daily and the fleet's hourly cost lines are kept"),
      receiptDays: number(
        1095,
        [1, 3650],
        "how long receipts of tenants' erasures and exports are kept, and erased names recognised by their hash",
      ),
      mostDecisions: integer(50_000, [1, 1_000_000], "maximum number of decisions; the newest are kept"),
      maxBytes: integer(
        16 * 1024 ** 3,
        [1024 ** 2, 1024 ** 4],
        "maximum size of the store; beyond it the oldest minutes are removed early (in PostgreSQL whole days), as the log and /healthz report",
      ),
    },
    { default: {}, description: "Retention of records." },
  ),
  slo: SloConfig,
  scaling: ScalingConfig,
  forecast: ForecastConfig,
  cost: CostConfig,
  alerts: AlertsConfig,
  clock: ClockSection,
});
export type ControllerConfig = Static<typeof ControllerConfig>;

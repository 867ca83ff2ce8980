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
  fleet: Type.Union([Identifier], { default: "default", description: "the fleet this controller decides for" }),
  stateDir: orNull(Path, "directory of the records; null: $STATE_DIRECTORY, else ~/.local/state/thormesh/controller"),
  logLevel: Type.Union(
    logLevels.map((level) => Type.Literal(level)),
    { default: "info", description: "least severe lines that are logged" },
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
        "address under which clients reach the API, told by controllers that stand by; null: made of host, or this machine's name, and port",
      ),
      allowedHosts: HostNames,
      apiKeys: Type.Array(ApiKeyText, {
        default: [],
        maxItems: 256,
        description:
          "each opens the whole API, as an admin; thormesh keys makes others; with none of either no key is needed",
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
        description: "leave the broker's key (mode 0600) where agents of the same user on this machine find it",
      }),
      tls: strictObject(
        {
          host: host("address for devices that have joined"),
          port: orNull(
            Type.Integer({ minimum: 0, maximum: 65_535 }),
            "port for them, with certificates on both sides; 0: any free port; null: none",
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
        "min time between two requests to an agent to introduce itself again",
      ),
      maxAgents: integer(
        10_000,
        [1, 100_000],
        "max agents; a further one replaces an agent that is offline and has no minute on record, else it is refused",
      ),
      retireAfterDays: number(
        30,
        [0.01, 3650],
        "an agent silent for this long is forgotten; its minutes are kept as long as others",
      ),
    },
    { default: {}, description: "Messages of agents." },
  ),
  retention: strictObject(
    {
      minuteDays: number(14, [0.01, 400], "how long minute records are kept"),
      decisionDays: number(90, [0.01, 3650], "how long decisions are kept"),
      auditDays: number(400, [30, 3650], "how long entries of the audit log are kept, of which at most 200,000"),
      serviceDays: number(400, [31, 3650], "how long sums of what users were given are kept by the hour"),
      costHourDays: number(35, [2, 3650], "how long cost lines of agents are kept by the hour"),
      costDays: number(
        400,
        [31, 3650],
        "how long cost lines of agents by the day, and of the fleet by the hour, are kept",
      ),
      receiptDays: number(
        1095,
        [1, 3650],
        "how long receipts of erasures and exports of tenants are kept, and names of erased tenants known again by a hash",
      ),
      mostDecisions: integer(50_000, [1, 1_000_000], "maximum number of decisions; the newest are kept"),
      maxBytes: integer(
        16 * 1024 ** 3,
        [1024 ** 2, 1024 ** 4],
        "maximum size of the store; beyond it the oldest minutes are removed early, in PostgreSQL by whole days, and the log and /healthz say so",
      ),
    },
    { default: {}, description: "Records that are kept." },
  ),
  slo: SloConfig,
  scaling: ScalingConfig,
  forecast: ForecastConfig,
  cost: CostConfig,
  alerts: AlertsConfig,
  clock: ClockSection,
});
export type ControllerConfig = Static<typeof ControllerConfig>;

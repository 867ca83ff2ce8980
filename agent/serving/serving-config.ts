import { type Static, Type } from "@sinclair/typebox";
import { OidcConfig } from "#agent/access/oidc-config.ts";
import { integer, number, orNull, Path } from "#platform/config-fields.ts";
import { ApiKeyText, HostNames } from "#platform/http/guard/access-config.ts";
import { CorsConfig } from "#platform/http/guard/cross-origin-access.ts";
import { TlsConfig } from "#platform/http/tls/tls-config.ts";
import { strict } from "#platform/schema-parts.ts";
import { TenantName } from "#protocol/bounds.ts";
import { modelSettings, SettingsByModel } from "./models/model-settings.ts";
import { engineConfig } from "./onnxruntime/engine-options.ts";
import { TracingConfig } from "./tracing/tracing-config.ts";

const TenantKey = Type.Object(
  { key: ApiKeyText, tenant: { ...TenantName, description: "tenant of requests with this key" } },
  strict,
);

export const ServingConfig = Type.Object(
  {
    host: Type.String({ default: "127.0.0.1", minLength: 1, maxLength: 253, description: "address of the HTTP API" }),
    port: integer(8080, [0, 65_535], "0: any free port"),
    apiKeys: Type.Array(Type.Union([ApiKeyText, TenantKey]), {
      default: [],
      maxItems: 256,
      description:
        "keys for the API; if empty, no key is needed and only this machine may connect. {key, tenant}: requests with it belong to that tenant, otherwise to the tenant default",
    }),
    requireKeys: Type.Boolean({
      default: false,
      description:
        "true: require a key even if none is configured here, such as a tenant's key from the controller; false: such keys are accepted, but required only if there are apiKeys",
    }),
    oidc: OidcConfig,
    tenants: Type.Record(
      TenantName,
      Type.Object(
        {
          weight: number(1, [0.01, 100], "share of the model and the queue, relative to other active tenants"),
          latencyBudgetMs: orNull(
            Type.Number({ minimum: 0.001, maximum: 86_400_000 }),
            "how long the tenant's clients wait for an answer, unless a request sets X-Latency-Budget; null: serving.latencyBudgetMs",
          ),
        },
        { additionalProperties: false, default: {} },
      ),
      {
        default: {},
        maxProperties: 256,
        additionalProperties: false,
        description: "settings of the tenants in apiKeys, by name",
      },
    ),
    latencyBudgetMs: orNull(
      Type.Number({ minimum: 0.001, maximum: 86_400_000 }),
      "how long clients wait for an answer, unless a request sets X-Latency-Budget; later answers are not computed; null: requestTimeoutMs, and routes aim at mesh.targetMs",
    ),
    insecure: Type.Boolean({ default: false, description: "listen beyond this machine without a key" }),
    allowedHosts: HostNames,
    cors: CorsConfig,
    tls: { ...TlsConfig, description: "Encryption (TLS) of the HTTP API and of gRPC; by default there is none." },
    grpc: Type.Object(
      {
        enabled: Type.Boolean({ default: true, description: "serve gRPC" }),
        host: orNull(Type.String({ minLength: 1, maxLength: 253 }), "null: the host of the HTTP API"),
        port: orNull(
          Type.Integer({ minimum: 0, maximum: 65_535 }),
          "0: any free port; null: 9090 (any free port if the HTTP API uses any); if it is in use, the agent runs without gRPC and reports that",
        ),
        maxConnections: integer(1_024, [1, 65_536], "maximum connections of all clients"),
        messageMemoryBytes: integer(
          64 * 1024 * 1024,
          [1024 * 1024, 64 * 1024 * 1024 * 1024],
          "memory for requests being received or processed and for answers not yet read; beyond it RESOURCE_EXHAUSTED",
        ),
      },
      {
        additionalProperties: false,
        default: {},
        description: "The same embeddings over gRPC, with the same keys and limits.",
      },
    ),
    tracing: TracingConfig,
    model: Type.String({
      default: "all-MiniLM-L6-v2",
      minLength: 1,
      maxLength: 128,
      description:
        "model of requests that name none; loaded at the start. none: this agent has no model and passes all requests on (docs/mesh.md)",
    }),
    modelDirectory: orNull(
      Path,
      "directory with one subdirectory per model; null: beside the executable, or the built-in model",
    ),
    pinned: Type.Array(Type.String({ minLength: 1, maxLength: 128 }), {
      default: [],
      maxItems: 64,
      description:
        "models, in addition to model, that are loaded at the start and stay loaded; others are loaded on demand",
    }),
    modelMemoryBytes: integer(
      8_000_000_000,
      [1, 1_099_511_627_776],
      "memory of all models' processes; beyond it the least recently used model is evicted",
    ),
    keepAliveS: orNull(
      Type.Number({ minimum: 0, maximum: 31_536_000 }),
      "seconds that an unused model stays loaded; null: until its memory is needed",
    ),
    precision: { ...modelSettings.precision, default: "auto" },
    threads: { ...modelSettings.threads, default: null },
    oneThreadProcesses: { ...modelSettings.oneThreadProcesses, default: null },
    ...engineConfig,
    batchTokens: { ...modelSettings.batchTokens, default: null },
    batchTexts: { ...modelSettings.batchTexts, default: null },
    paddedLengths: { ...modelSettings.paddedLengths, default: null },
    tokenIds: { ...modelSettings.tokenIds, default: "marked" },
    models: SettingsByModel,
    aliases: Type.Record(
      Type.String({ pattern: "^[^\\s]{1,128}$" }),
      Type.String({ minLength: 1, maxLength: 128, description: "a model's id, directory or alias" }),
      {
        default: {},
        maxProperties: 256,
        additionalProperties: false,
        description: "your own names for models: {name: model}",
      },
    ),
    queueRequests: integer(1024, [1, 1_000_000], "maximum waiting requests; beyond it 429"),
    queueTexts: integer(4096, [1, 16_777_216], "maximum waiting texts; beyond it 429"),
    queueTokens: integer(262_144, [1, 1_073_741_824], "maximum waiting tokens; beyond it 429"),
    queueBytes: integer(
      128 * 1024 * 1024,
      [1, 1_099_511_627_776],
      "maximum memory of waiting requests: texts at two bytes per character, and vectors; beyond it 429",
    ),
    queueMs: number(5_000, [1, 3_600_000], "maximum expected wait in the queue; beyond it 429"),
    maxTokenizeRequests: integer(
      16,
      [1, 1_024],
      "maximum concurrent requests to /tokenize, three quarters of it for one tenant; beyond it 429",
    ),
    cacheBytes: integer(
      64 * 1024 * 1024,
      [0, 1_099_511_627_776],
      "memory for the vectors of recent texts (about 2,000 bytes each); 0: no cache",
    ),
    maxInputs: integer(2048, [1, 1_000_000], "maximum texts in one request"),
    emptyTexts: Type.Union([Type.Literal("refuse"), Type.Literal("embed")], {
      default: "refuse",
      description: "empty texts: refuse with an error that names the text, or embed like any other",
    }),
    maxBodyBytes: integer(4 * 1024 * 1024, [1024, 1_073_741_824], "maximum size of a request's body; beyond it 413"),
    requestTimeoutMs: integer(30_000, [1, 3_600_000], "maximum time from arrival to answer"),
    batchTimeoutMs: integer(
      10_000,
      [200, 600_000],
      "a model process that takes longer for a batch (or than 20 times the time expected at the measured speed, if that is longer) is replaced",
    ),
    stopAnnounceMs: integer(
      250,
      [0, 600_000],
      "how long /readyz and gRPC's health service announce a stop while requests are still answered",
    ),
    stopGraceMs: integer(10_000, [0, 3_600_000], "maximum wait for requests in flight when stopping"),
  },
  { additionalProperties: false, default: {}, description: "APIs of the agent, its models, queues and limits." },
);
export type ServingConfig = Static<typeof ServingConfig>;

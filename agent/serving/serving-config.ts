import { type Static, Type } from "@sinclair/typebox";
import { ApiKeyText, HostNames } from "#platform/http/guard/access-config.ts";
import { modelSettings, SettingsByModel } from "./models/model-settings.ts";
import { engineConfig } from "./onnxruntime/engine-options.ts";
import { TracingConfig } from "./tracing/tracing-config.ts";

/** A tenant is part of metrics and messages: letters, digits, dot, dash and underscore. */
const TenantName = Type.String({
  pattern: "^[A-Za-z0-9._-]{1,64}$",
  description: "tenant that its requests count for",
});
const TenantKey = Type.Object(
  {
    key: ApiKeyText,
    tenant: TenantName,
  },
  { additionalProperties: false },
);

/** How an agent serves embeddings. */
export const ServingConfig = Type.Object(
  {
    host: Type.String({ default: "127.0.0.1", minLength: 1, maxLength: 253, description: "address of the HTTP API" }),
    port: Type.Integer({ default: 8080, minimum: 0, maximum: 65_535, description: "0: any free port" }),
    apiKeys: Type.Array(Type.Union([ApiKeyText, TenantKey]), {
      default: [],
      maxItems: 256,
      description:
        "any of them opens the API; none: no key is asked for, and only this machine may connect. {key, tenant}: its requests count for that tenant, else for the tenant default",
    }),
    tenants: Type.Record(
      TenantName,
      Type.Object(
        {
          weight: Type.Number({
            default: 1,
            minimum: 0.01,
            maximum: 100,
            description: "its share of the model and the queue relative to other active tenants",
          }),
        },
        { additionalProperties: false, default: {} },
      ),
      {
        default: {},
        maxProperties: 256,
        additionalProperties: false,
        description: "settings of single tenants of apiKeys, by name",
      },
    ),
    insecure: Type.Boolean({ default: false, description: "listen beyond this machine without a key" }),
    allowedHosts: HostNames,
    grpc: Type.Object(
      {
        enabled: Type.Boolean({ default: true, description: "serve gRPC" }),
        host: Type.Union([Type.String({ minLength: 1, maxLength: 253 }), Type.Null()], {
          default: null,
          description: "null: that of the HTTP API",
        }),
        port: Type.Union([Type.Integer({ minimum: 0, maximum: 65_535 }), Type.Null()], {
          default: null,
          description:
            "0: any free port; null: 9090 (any free port where the HTTP API takes any); if that is taken, the agent runs without gRPC and says so",
        }),
        maxConnections: Type.Integer({
          default: 1_024,
          minimum: 1,
          maximum: 65_536,
          description: "of all clients together",
        }),
        messageMemoryBytes: Type.Integer({
          default: 64 * 1024 * 1024,
          minimum: 1024 * 1024,
          maximum: 64 * 1024 * 1024 * 1024,
          description:
            "memory for requests being received or processed and for answers not yet read; beyond it RESOURCE_EXHAUSTED",
        }),
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
      description: "the model of requests that name none; loaded at the start",
    }),
    modelDirectory: Type.Union([Type.String({ minLength: 1, maxLength: 4096 }), Type.Null()], {
      default: null,
      description: "holds one directory a model; null: beside the executable, or the model inside it",
    }),
    pinned: Type.Array(Type.String({ minLength: 1, maxLength: 128 }), {
      default: [],
      maxItems: 64,
      description:
        "models that are loaded at the start and stay, besides model; others are loaded when they are asked for",
    }),
    modelMemoryBytes: Type.Integer({
      default: 8_000_000_000,
      minimum: 1,
      maximum: 1_099_511_627_776,
      description: "memory of all models' processes; beyond it the least recently used model is evicted",
    }),
    keepAliveS: Type.Union([Type.Number({ minimum: 0, maximum: 31_536_000 }), Type.Null()], {
      default: null,
      description: "seconds that an unused model stays loaded; null: until its memory is needed",
    }),
    precision: { ...modelSettings.precision, default: "auto" },
    threads: { ...modelSettings.threads, default: null },
    oneThreadProcesses: { ...modelSettings.oneThreadProcesses, default: null },
    ...engineConfig,
    batchTokens: { ...modelSettings.batchTokens, default: null },
    batchTexts: { ...modelSettings.batchTexts, default: null },
    paddedLengths: { ...modelSettings.paddedLengths, default: null },
    models: SettingsByModel,
    queueRequests: Type.Integer({
      default: 1024,
      minimum: 1,
      maximum: 1_000_000,
      description: "requests that may wait; beyond them 429",
    }),
    queueTexts: Type.Integer({
      default: 4096,
      minimum: 1,
      maximum: 16_777_216,
      description: "texts that may wait; beyond them 429",
    }),
    queueTokens: Type.Integer({
      default: 262_144,
      minimum: 1,
      maximum: 1_073_741_824,
      description: "tokens that may wait; beyond them 429",
    }),
    queueBytes: Type.Integer({
      default: 128 * 1024 * 1024,
      minimum: 1,
      maximum: 1_099_511_627_776,
      description: "memory of waiting requests: texts at two bytes a character, and vectors; beyond it 429",
    }),
    queueMs: Type.Number({
      default: 5_000,
      minimum: 1,
      maximum: 3_600_000,
      description: "a request that is expected to take longer at the present load is turned away with 429",
    }),
    maxTokenizeRequests: Type.Integer({
      default: 16,
      minimum: 1,
      maximum: 1_024,
      description: "concurrent requests to /tokenize, three quarters of them from one tenant; beyond them 429",
    }),
    cacheBytes: Type.Integer({
      default: 64 * 1024 * 1024,
      minimum: 0,
      maximum: 1_099_511_627_776,
      description: "memory for the vectors of texts asked for before (about 2,000 bytes each); 0: none are kept",
    }),
    maxInputs: Type.Integer({ default: 2048, minimum: 1, maximum: 1_000_000, description: "texts in one request" }),
    maxBodyBytes: Type.Integer({
      default: 4 * 1024 * 1024,
      minimum: 1024,
      maximum: 1_073_741_824,
      description: "size of a request's body; beyond it 413",
    }),
    requestTimeoutMs: Type.Integer({
      default: 30_000,
      minimum: 1,
      maximum: 3_600_000,
      description: "time from arrival to answer",
    }),
    batchTimeoutMs: Type.Integer({
      default: 10_000,
      minimum: 200,
      maximum: 600_000,
      description:
        "a model process that takes longer for a batch (or than 20 times the time expected at the measured speed, if that is longer) is replaced",
    }),
    stopAnnounceMs: Type.Integer({
      default: 250,
      minimum: 0,
      maximum: 600_000,
      description: "how long /readyz and gRPC's health service announce a stop while requests are still answered",
    }),
    stopGraceMs: Type.Integer({
      default: 10_000,
      minimum: 0,
      maximum: 3_600_000,
      description: "time for requests in flight when stopping",
    }),
  },
  { additionalProperties: false, default: {}, description: "APIs of the agent, its models, queues and limits." },
);
export type ServingConfig = Static<typeof ServingConfig>;

import { type DataStore, nothingPersonal } from "#platform/files/data-store.ts";

const agent = { of: "agent" } as const;
const table = { ...agent, kind: "table" } as const;
const file = { ...agent, kind: "file" } as const;
const memory = { ...agent, kind: "memory" } as const;
const counts = "requests per minute, by model and tenant: numbers, no texts";

const tables: readonly DataStore[] = [
  {
    ...{ ...table, id: "agent.db/minute_traffic", holds: counts, personal: "none", tenant: "renamed", exported: false },
    ...{ purpose: "history for forecasts", kept: "recordRetentionDays" },
  },
  {
    ...{ ...table, id: "agent.db/outbox", holds: `${counts}, and energy`, personal: "none" },
    ...{ tenant: "renamed", exported: true, purpose: "until the controller has it" },
    kept: "until the controller has stored it; at most outbox.maxAgeDays and outbox.maxBytes",
  },
  {
    ...{ ...table, id: "agent.db/document", personal: "none", tenant: "removed", exported: false },
    holds:
      "what the controller last sent (role, tenants and keys by hash), use of quotas, measured capacities, corrections of power",
    ...{ purpose: "keeps working when cut off", kept: "until the next one replaces it" },
  },
  {
    ...{
      ...table,
      ...nothingPersonal,
      id: "agent.db/forecast_made",
      holds: "forecasts, to be compared with actual traffic",
    },
    ...{ purpose: "accuracy of forecasts", kept: "8 days" },
  },
];

const files: readonly DataStore[] = [
  {
    ...{ ...file, ...nothingPersonal, id: "agent.db", holds: "the tables of agent.db, and their journal" },
    ...{
      purpose: "state",
      kept: "by table; a damaged file stays beside it until someone removes it; a copy from before a change of its schema, a week",
    },
    writtenBy: ["agent/open-state.ts", "platform/files/open-database.ts"],
  },
  {
    ...{ ...file, ...nothingPersonal, id: "identity/", holds: "private key and certificate of the device" },
    ...{ purpose: "proof of the device's identity", kept: "until the device is renewed or joins again" },
    writtenBy: ["agent/enrolment/device-identity.ts"],
  },
  {
    ...{ ...file, ...nothingPersonal, id: "power-profile.json", holds: "measured throughput and power of power modes" },
    ...{ purpose: "choice of power modes", kept: "until it is measured again" },
    writtenBy: ["agent/power/calibration/profile-file.ts"],
  },
  {
    ...{ ...file, ...nothingPersonal, id: "model-fingerprints/", holds: "vectors of a fixed text by model" },
    ...{ purpose: "detecting a changed model", kept: "until someone removes it" },
    writtenBy: ["agent/serving/models/files/fingerprint-store.ts"],
  },
  {
    ...{ ...file, ...nothingPersonal, id: "models/", holds: "pulled models" },
    ...{ purpose: "serving", kept: "until thormesh models remove" },
    writtenBy: [
      "agent/serving/models/pull/copy-model.ts",
      "agent/serving/models/pull/download-file.ts",
      "agent/serving/models/pull/install-pulled.ts",
      "agent/serving/models/pull/pull-model.ts",
      "agent/serving/models/pull/staging.ts",
    ],
  },
  {
    ...{ ...file, ...nothingPersonal, id: "cache: libraries and prepared models", holds: "ONNX Runtime, weights" },
    ...{ purpose: "starts sooner", kept: "prepared models by size, least recently used first" },
    writtenBy: [
      "agent/serving/onnxruntime/extract-libraries.ts",
      "agent/serving/onnxruntime/link-addon.ts",
      "agent/serving/prepared/prepared-models.ts",
      "agent/serving/prepared/write-prepared.ts",
    ],
  },
  {
    ...{ ...file, ...nothingPersonal, id: "thormesh-model-*/", holds: "the socket of a model's process" },
    ...{ purpose: "batches between processes; nothing is stored", kept: "until the process ends" },
    writtenBy: ["agent/serving/worker/model-process.ts"],
  },
  {
    ...{ ...file, ...nothingPersonal, id: "update-order.json", holds: "the version that the fleet ordered" },
    ...{ purpose: "read by the device's updater", kept: "until the next order" },
    writtenBy: ["agent/update/fleet-updates.ts"],
  },
  {
    ...{ ...file, ...nothingPersonal, id: "forecast-training/ and forecast-models/" },
    holds: "traffic of all tenants together per minute, weights of forecasts",
    ...{ purpose: "training at night", kept: "the trace until the next night; models by number" },
    writtenBy: [
      "forecast/lstm/model-files.ts",
      "forecast/lstm/training-checkpoint.ts",
      "forecast/night/night-training.ts",
      "forecast/night/run-trainer.ts",
      "cli/forecast/forecast.ts",
      "cli/forecast/training-lock.ts",
    ],
  },
];

/** Data in the memory of an agent and what it sends to others. */
const memories: readonly DataStore[] = [
  {
    ...{
      ...memory,
      id: "result cache",
      holds: "texts as keys, with their vectors, separated by tenant",
      personal: "texts",
    },
    ...{ tenant: "removed", exported: false, purpose: "answering repeated texts" },
    kept: "serving.cacheBytes, least recently used first; never on disk",
  },
  {
    ...{ ...memory, id: "requests under way", holds: "texts and vectors of requests", personal: "texts" },
    ...{ tenant: "removed", exported: false, purpose: "answers", kept: "until the answer; never on disk" },
  },
  {
    ...{ ...memory, id: "counts of the minute", holds: counts, personal: "none", tenant: "renamed", exported: false },
    ...{ purpose: "the minute's record", kept: "a minute, longer while the disk can't be written" },
  },
  {
    ...{ ...memory, id: "buckets of limits", holds: "what is left of a tenant's limits", personal: "none" },
    ...{
      tenant: "kept",
      exported: false,
      purpose: "limits by the minute",
      kept: "until the agent ends; figures of a minute",
    },
  },
  {
    ...{ ...memory, id: "newest routes", holds: "who answered the newest requests, without texts", personal: "none" },
    ...{
      tenant: "kept",
      exported: false,
      purpose: "thormesh why --route",
      kept: "the newest ones; until the agent ends",
    },
  },
  {
    ...{ ...memory, id: "newest minutes", holds: "figures of the agent's last two hours", personal: "none" },
    ...{ tenant: "kept", exported: false, purpose: "the agent's own page", kept: "two hours; until the agent ends" },
  },
  {
    ...{ ...agent, kind: "metric", id: "label tenant of thormesh_tenant_energy_joules_total" },
    ...{ holds: "names of tenants", personal: "none", tenant: "renamed", exported: false, purpose: "energy by tenant" },
    kept: "until the agent ends; in Prometheus according to its own retention",
  },
  {
    ...{
      ...agent,
      kind: "file",
      id: "the agent's configuration",
      holds: "keys and budgets of tenants, where configured",
    },
    ...{ personal: "names", tenant: "kept", exported: false, purpose: "an agent's own keys" },
    ...{ kept: "until the operator removes it", writtenBy: [] },
  },
  {
    ...{
      ...agent,
      kind: "remote",
      id: "traces at serving.tracing.otlpUrl",
      holds: "times of requests, no texts, no tenants",
    },
    ...{ ...nothingPersonal, purpose: "analysing latency; off by default", kept: "set by the collector's owner" },
  },
  {
    ...{
      ...agent,
      kind: "log",
      id: "the agent's log (standard error)",
      holds: "events; addresses of clients that are refused",
    },
    ...{
      personal: "addresses",
      tenant: "none",
      exported: false,
      purpose: "faults",
      kept: "retention of the machine's log",
    },
  },
];

/** Everything that an agent keeps or sends away. */
export const agentDataMap: readonly DataStore[] = [...tables, ...files, ...memories];

import { type DataStore, nothingPersonal } from "#platform/files/data-store.ts";

const controller = { of: "controller" } as const;
const table = { ...controller, kind: "table" } as const;
const file = { ...controller, kind: "file" } as const;
const topic = { ...controller, kind: "topic" } as const;

const db = "controller.db/";
const asRecords = "retention.minuteDays, and retention.maxBytes in total";

/** Tables that name tenants or people. */
const named: readonly DataStore[] = [
  {
    ...{ ...table, id: `${db}minute`, personal: "none", tenant: "renamed", exported: true },
    holds: "minutes of agents: requests, texts, tokens, energy by model and tenant; numbers, no texts",
    ...{ purpose: "costs, forecasts, decisions", kept: asRecords },
  },
  {
    ...{ ...table, id: `${db}cost_work`, personal: "none", tenant: "renamed", exported: true },
    holds: "cost of tenants' use of models, by hour and day, by agent and region",
    ...{
      purpose: "who pays what",
      kept: "agents' hours: retention.costHourDays; agents' days and the fleet's hours: retention.costDays; the fleet's days: forever",
    },
  },
  {
    ...{ ...table, id: `${db}decision`, personal: "none", tenant: "renamed", exported: false },
    holds: "decisions with their figures; limits by a budget name the tenant",
    ...{ purpose: "explaining the state of the fleet", kept: "retention.decisionDays and retention.mostDecisions" },
  },
  {
    ...{ ...table, id: `${db}set_aside`, holds: "implausible minutes, as received", personal: "none" },
    ...{ tenant: "renamed", exported: true, purpose: "disputes", kept: "retention.minuteDays, at most 5,000" },
  },
  {
    ...{ ...table, id: `${db}tenant`, holds: "name, limits, models, regions and cost centre of tenants" },
    ...{
      personal: "names",
      tenant: "removed",
      exported: true,
      purpose: "rights of tenants",
      kept: "until it is deleted",
    },
  },
  {
    ...{ ...table, id: `${db}api_key`, holds: "keys: keyed hash, name, role, tenant, times of creation and last use" },
    ...{ personal: "names", tenant: "removed", exported: true, purpose: "who may do what" },
    kept: "at most 1,000; the oldest expired one is replaced",
  },
  {
    ...{ ...table, id: `${db}audit`, personal: "addresses", tenant: "kept", exported: true },
    holds: "changes: who (key or user), from which address, what, before and after, reason; no keys, no texts",
    ...{
      purpose: "who changed what; verifiable only while nothing in it is altered",
      kept: "retention.auditDays, at most 200,000",
    },
  },
  {
    ...{
      ...table,
      id: `${db}tenant_job`,
      holds: "erasures and exports: tenant, or its pseudonym and a keyed hash of its name",
    },
    ...{
      personal: "names",
      tenant: "renamed",
      exported: false,
      purpose: "proof; late records are recognised by the hash",
    },
    kept: "retention.receiptDays",
  },
  {
    ...{ ...table, ...nothingPersonal, id: `${db}tenant_receipt`, holds: "each store's answer to a job: numbers" },
    ...{ purpose: "proof", kept: "retention.receiptDays" },
  },
];

/** Tables about agents and the fleet. */
const ofFleet: readonly DataStore[] = [
  {
    ...{ ...table, ...nothingPersonal, id: `${db}agent`, holds: "what agents reported about themselves" },
    ...{ purpose: "state of the fleet", kept: "ingest.retireAfterDays without a word, or until it is retired" },
  },
  {
    ...{ ...table, ...nothingPersonal, id: `${db}desired`, holds: "documents for agents" },
    ...{ purpose: "role and power mode of agents", kept: "until the agent is retired" },
  },
  {
    ...{ ...table, ...nothingPersonal, id: `${db}override`, holds: "roles and modes that operators set" },
    ...{ purpose: "takes precedence over decisions", kept: "until it expires" },
  },
  {
    ...{ ...table, ...nothingPersonal, id: `${db}freeze`, holds: "a freeze with its reason" },
    ...{ purpose: "keeping the fleet unchanged", kept: "until it ends" },
  },
  {
    ...{ ...table, ...nothingPersonal, id: `${db}lease`, holds: "process and machine that use this store" },
    ...{ purpose: "one controller at a time", kept: "until the next one" },
  },
  {
    ...{
      ...table,
      ...nothingPersonal,
      id: `${db}forecast_made`,
      holds: "forecasts, to be compared with actual traffic",
    },
    ...{ purpose: "accuracy of forecasts", kept: asRecords },
  },
  {
    ...{
      ...table,
      ...nothingPersonal,
      id: `${db}service`,
      holds: "requests by latency and refusal, by region and model",
    },
    ...{ purpose: "service levels", kept: "five minutes for a day, hours for retention.serviceDays" },
  },
  {
    ...{ ...table, ...nothingPersonal, id: `${db}cost_device`, holds: "cost and time of devices, by hour and day" },
    ...{ purpose: "who pays what", kept: "as cost_work, by retention.costHourDays and retention.costDays" },
  },
  {
    ...{
      ...table,
      ...nothingPersonal,
      id: `${db}cost_agent`,
      holds: "regions, boards and own prices of agents, by time",
    },
    ...{ purpose: "hours that are rated again use the prices of that time", kept: "forever, at most 1,000 per agent" },
  },
  {
    ...{ ...table, ...nothingPersonal, id: `${db}cost_gap`, holds: "boards and regions without a price, by hour" },
    ...{ purpose: "reports name what has no price", kept: "retention.costDays" },
  },
  ...(["unrated", "stale", "rolled", "backfill"] as const).map((name) => ({
    ...{
      ...table,
      ...nothingPersonal,
      id: `${db}cost_${name}`,
      holds: "hours and days, and their pending work",
    },
    ...{ purpose: "cost lines are made once", kept: "until it is done; for days, forever" },
  })),
  {
    ...{ ...table, id: `${db}kept`, personal: "names", tenant: "removed", exported: false },
    holds:
      "state of parts of the controller; names of tenants in budgets, their limits and baselines, in parts of quotas until the tenant is deleted, and in alerts up to a day after their end; who silenced alerts; sessions of browsers: names of keys and users, hashes of tokens, and keys that only those tokens decrypt",
    ...{
      purpose: "continuity over restarts",
      kept: "until it is replaced; budgets and baselines until they are removed; sessions for 12 hours without use, at most 7 days",
    },
  },
  {
    ...{ ...table, ...nothingPersonal, id: `${db}join_token`, holds: "public keys of join tokens, regions" },
    ...{ purpose: "devices join", kept: "30 days after its end" },
  },
  {
    ...{ ...table, ...nothingPersonal, id: `${db}device`, holds: "public keys and certificates of devices, reasons" },
    ...{ purpose: "which devices belong to the fleet", kept: "until a revoked device's certificate has ended" },
  },
];

const files: readonly DataStore[] = [
  {
    ...{
      ...file,
      ...nothingPersonal,
      id: "controller.db",
      holds: "the tables of controller.db, and their journal; with store.url in PostgreSQL instead",
    },
    ...{
      purpose: "records",
      kept: "by table; a damaged file stays beside it until someone removes it; a copy from before a change of its schema, a week",
    },
    writtenBy: ["controller/open-records.ts", "platform/files/open-database.ts", "cli/migrate-store.ts"],
  },
  {
    ...{
      ...file,
      ...nothingPersonal,
      id: "ca.key and ca.pem",
      holds: "private key and certificate of the fleet's authority",
    },
    ...{ purpose: "identity of devices, signatures of orders", kept: "until someone removes them" },
    writtenBy: ["controller/identity/fleet-authority.ts"],
  },
  {
    ...{
      ...file,
      ...nothingPersonal,
      id: "broker.key",
      holds: "key of which the agents' broker passwords are derived",
    },
    ...{ purpose: "passwords of agents that have not joined", kept: "until someone removes it" },
    writtenBy: ["controller/broker/broker-key.ts"],
  },
  {
    ...{ ...file, ...nothingPersonal, id: "controller-id", holds: "a random name of this controller" },
    ...{ purpose: "detecting a second controller", kept: "until someone removes it" },
    writtenBy: ["controller/broker/kept-controller-id.ts"],
  },
  {
    ...{
      ...file,
      ...nothingPersonal,
      id: "scaling.policyFile",
      holds: "the scaling policy, with secrets of its sources",
    },
    ...{ purpose: "how many agents serve", kept: "until it is replaced" },
    writtenBy: ["controller/scaling/policy/file/write-policy-file.ts"],
  },
  {
    ...{
      ...file,
      ...nothingPersonal,
      id: "folders of agents started here",
      holds: "their configuration, log and state",
    },
    ...{ purpose: "process provider", kept: "as those of agents" },
    writtenBy: ["controller/scaling/actuators/process-capacity.ts"],
  },
];

/** Messages on the broker; those that it retains are stored by it. */
const topics: readonly DataStore[] = [
  {
    ...{
      ...topic,
      ...nothingPersonal,
      id: "agents/{id}/presence",
      holds: "address, region, models of an agent; retained",
    },
    ...{ purpose: "who is there", kept: "until the agent is retired" },
  },
  {
    ...{ ...topic, ...nothingPersonal, id: "agents/{id}/birth", holds: "board and models of an agent" },
    ...{ purpose: "what an agent can do", kept: "not retained" },
  },
  {
    ...{ ...topic, id: "agents/{id}/data", holds: "minutes, as in minute", personal: "none", tenant: "renamed" },
    ...{ exported: false, purpose: "record of the fleet", kept: "not retained; a session's queue, at most its expiry" },
  },
  {
    ...{ ...topic, ...nothingPersonal, id: "agents/{id}/beat", holds: "numbers of seconds, without tenants" },
    ...{ purpose: "what users experience now", kept: "not retained" },
  },
  {
    ...{ ...topic, ...nothingPersonal, id: "agents/{id}/desired", holds: "role and mode of an agent; retained" },
    ...{ purpose: "what an agent is to do", kept: "until the agent is retired" },
  },
  {
    ...{ ...topic, ...nothingPersonal, id: "agents/{id}/reported", holds: "what an agent reached; retained" },
    ...{ purpose: "what an agent did", kept: "until the agent is retired" },
  },
  ...["cmd", "cmd-result", "ack", "probe"].map(
    (name): DataStore => ({
      ...{ ...topic, ...nothingPersonal, id: `agents/{id}/${name}`, holds: "names of commands and records" },
      ...{ purpose: "commands, acknowledgements, connection tests", kept: "not retained" },
    }),
  ),
  {
    ...{ ...topic, ...nothingPersonal, id: "controller/state", holds: "whether a controller is online; retained" },
    ...{ purpose: "records are held back without a controller", kept: "until the next one" },
  },
  {
    ...{ ...topic, ...nothingPersonal, id: "controller/peers", holds: "agents that others follow; retained" },
    ...{ purpose: "requests between agents", kept: "until the next one" },
  },
  {
    ...{ ...topic, id: "controller/access", holds: "tenants with limits, keys by hash; retained", personal: "names" },
    ...{
      tenant: "removed",
      exported: false,
      purpose: "agents know which requests to answer",
      kept: "until the next one",
    },
  },
  {
    ...{ ...topic, ...nothingPersonal, id: "controller/probe", holds: "a question to another controller" },
    ...{ purpose: "detecting a second controller", kept: "not retained" },
  },
];

const others: readonly DataStore[] = [
  {
    ...{ ...controller, kind: "memory", id: "newest minutes and shares of tenants", personal: "none" },
    holds: "the newest minutes of each agent, and where tenants' requests arrive",
    ...{ tenant: "removed", exported: false, purpose: "decisions, limits", kept: "minutes; until the controller ends" },
  },
  {
    ...{ ...controller, kind: "metric", id: "label tenant of thormesh_tenant_cost_today_usd", personal: "none" },
    ...{
      holds: "names of the tenants that cost most today",
      tenant: "renamed",
      exported: false,
      purpose: "cost by tenant",
    },
    kept: "a minute, read from cost lines; in Prometheus according to its own retention",
  },
  {
    ...{ ...controller, kind: "log", id: "the controller's log (standard error)", personal: "addresses" },
    holds: "events; each change with actor, address and target, as in the audit log",
    ...{
      tenant: "kept",
      exported: false,
      purpose: "troubleshooting; a witness of the audit log",
      kept: "retention of the machine's log",
    },
  },
];

/** Everything that a controller keeps or sends away. */
export const controllerDataMap: readonly DataStore[] = [...named, ...ofFleet, ...files, ...topics, ...others];

import { type DataStore, nothingPersonal } from "#platform/files/data-store.ts";

const controller = { of: "controller" } as const;
const table = { ...controller, kind: "table" } as const;
const file = { ...controller, kind: "file" } as const;
const topic = { ...controller, kind: "topic" } as const;

const db = "controller.db/";
const asRecords = "retention.minuteDays, and retention.maxBytes of all";

/** Tables that name tenants or people. */
const named: readonly DataStore[] = [
  {
    ...{ ...table, id: `${db}minute`, personal: "none", tenant: "renamed", exported: true },
    holds: "minutes of agents: requests, texts, tokens, energy by model and tenant; numbers, no texts",
    ...{ purpose: "costs, forecasts, decisions", kept: asRecords },
  },
  {
    ...{ ...table, id: `${db}cost_work`, personal: "none", tenant: "renamed", exported: true },
    holds: "cost of what tenants used of models, by hour and day, by agent and region",
    ...{
      purpose: "who pays what",
      kept: "agents' hours retention.costHourDays, days and the fleet's hours retention.costDays, its days for good",
    },
  },
  {
    ...{ ...table, id: `${db}decision`, personal: "none", tenant: "renamed", exported: false },
    holds: "decisions with their figures; those by which a budget limits a tenant name it",
    ...{ purpose: "why the fleet is as it is", kept: "retention.decisionDays and retention.mostDecisions" },
  },
  {
    ...{ ...table, id: `${db}set_aside`, holds: "minutes that were not believed, as they came", personal: "none" },
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
    kept: "of 1,000 the oldest that ended gives way to a new one",
  },
  {
    ...{ ...table, id: `${db}audit`, personal: "addresses", tenant: "kept", exported: true },
    holds: "changes: who (key or user), from which address, what, before and after, reason; no keys, no texts",
    ...{
      purpose: "who changed what; whole only while nothing inside is changed",
      kept: "retention.auditDays, at most 200,000",
    },
  },
  {
    ...{
      ...table,
      id: `${db}tenant_job`,
      holds: "erasures and exports: tenant, or its pseudonym and a keyed hash of its name",
    },
    ...{ personal: "names", tenant: "renamed", exported: false, purpose: "proof; late records are known by the hash" },
    kept: "retention.receiptDays",
  },
  {
    ...{ ...table, ...nothingPersonal, id: `${db}tenant_receipt`, holds: "what each store answered to a job: numbers" },
    ...{ purpose: "proof", kept: "retention.receiptDays" },
  },
];

/** Tables about agents and the fleet. */
const ofFleet: readonly DataStore[] = [
  {
    ...{ ...table, ...nothingPersonal, id: `${db}agent`, holds: "what agents told of themselves" },
    ...{ purpose: "state of the fleet", kept: "ingest.retireAfterDays without a word, or until it is retired" },
  },
  {
    ...{ ...table, ...nothingPersonal, id: `${db}desired`, holds: "documents for agents" },
    ...{ purpose: "role and power mode of agents", kept: "until the agent is retired" },
  },
  {
    ...{ ...table, ...nothingPersonal, id: `${db}override`, holds: "roles and modes that operators set" },
    ...{ purpose: "goes before decisions", kept: "until it expires" },
  },
  {
    ...{ ...table, ...nothingPersonal, id: `${db}freeze`, holds: "a freeze with its reason" },
    ...{ purpose: "nothing is changed meanwhile", kept: "until it ends" },
  },
  {
    ...{ ...table, ...nothingPersonal, id: `${db}lease`, holds: "process and machine that act on this store" },
    ...{ purpose: "one controller at a time", kept: "until the next one" },
  },
  {
    ...{ ...table, ...nothingPersonal, id: `${db}forecast_made`, holds: "forecasts, to be compared with what came" },
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
    ...{ purpose: "hours that are rated again have the prices of then", kept: "for good, at most 1,000 of an agent" },
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
      holds: "hours and days, and what is to be done of them",
    },
    ...{ purpose: "cost lines are made once", kept: "until it is done; of days, for good" },
  })),
  {
    ...{ ...table, id: `${db}kept`, personal: "names", tenant: "removed", exported: false },
    holds:
      "state of parts of the controller; names of tenants in budgets, their limits and baselines, in parts of quotas until the tenant is deleted, and in alerts up to a day after their end; who silenced alerts; sessions of browsers: names of keys and users, hashes of tokens, and keys that only those tokens decrypt",
    ...{
      purpose: "goes on after a restart",
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
    ...{ purpose: "notices a second controller", kept: "until someone removes it" },
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
    ...{ purpose: "what users feel now", kept: "not retained" },
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
      ...{ purpose: "commands, confirmations, tests of the connection", kept: "not retained" },
    }),
  ),
  {
    ...{ ...topic, ...nothingPersonal, id: "controller/state", holds: "whether a controller is online; retained" },
    ...{ purpose: "records wait for a controller", kept: "until the next one" },
  },
  {
    ...{ ...topic, ...nothingPersonal, id: "controller/peers", holds: "agents that others follow; retained" },
    ...{ purpose: "requests between agents", kept: "until the next one" },
  },
  {
    ...{ ...topic, id: "controller/access", holds: "tenants with limits, keys by hash; retained", personal: "names" },
    ...{ tenant: "removed", exported: false, purpose: "agents know whom to answer", kept: "until the next one" },
  },
  {
    ...{ ...topic, ...nothingPersonal, id: "controller/probe", holds: "a question to another controller" },
    ...{ purpose: "notices a second controller", kept: "not retained" },
  },
];

const others: readonly DataStore[] = [
  {
    ...{ ...controller, kind: "memory", id: "newest minutes and shares of tenants", personal: "none" },
    holds: "the newest minutes of each agent, and where tenants' requests come in",
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
    kept: "a minute, read from cost lines; in a Prometheus that collects it as long as that keeps it",
  },
  {
    ...{ ...controller, kind: "log", id: "the controller's log (standard error)", personal: "addresses" },
    holds: "events; each change with actor, address and target, as in the audit log",
    ...{ tenant: "kept", exported: false, purpose: "faults; a witness of the audit log", kept: "by the machine's log" },
  },
];

/** Everything that a controller keeps or sends away. */
export const controllerDataMap: readonly DataStore[] = [...named, ...ofFleet, ...files, ...topics, ...others];

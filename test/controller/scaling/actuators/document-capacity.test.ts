import { beforeEach, describe, expect, test } from "bun:test";
import { observePresence, unknownAgent } from "#controller/fleet/agent-state.ts";
import { createDesiredDocuments, type DesiredDocuments } from "#controller/fleet/desired-documents.ts";
import { createFleet, type Fleet } from "#controller/fleet/fleet.ts";
import { createDocumentCapacity } from "#controller/scaling/actuators/document-capacity.ts";
import { createLogger } from "#platform/log.ts";
import { aPresence } from "../../../fakes/builders.ts";
import { createMemoryStore } from "../../memory-store.ts";
import { createRecordingBroker, type RecordingBroker } from "../../recording-broker.ts";
import { testsOfProviders } from "./provider-contract.ts";

const modeHoldMs = 1_800_000;
let broker: RecordingBroker;
let desired: DesiredDocuments;
let fleet: Fleet;
let nowMs: number;

beforeEach(() => {
  nowMs = 1_000_000;
  broker = createRecordingBroker();
  fleet = createFleet();
  const log = createLogger("test", "silent");
  desired = createDesiredDocuments({
    fleetName: "f",
    fleet,
    store: createMemoryStore(),
    broker,
    nowMs: () => nowMs,
    log,
  });
  fleet.put(observePresence(unknownAgent("a", 0), aPresence({ agentId: "a" }), 0)!);
});

const create = () => createDocumentCapacity({ fleet, desired, modeHoldMs, nowMs: () => nowMs });
const act = (want: "on" | "off", mode?: string | null) => ({
  ...{ id: "1", agentId: "a", want, reason: "test" },
  ...(mode === undefined ? {} : { mode }),
});
const document = () => desired.documents.get("a");
const hold = (given: object) =>
  desired.setOverride({
    ...{ agentId: "a", role: null, powerMode: null, powerModeCap: null, createdAtMs: 0, expiresAtMs: 1e12 },
    ...given,
  });

describe("as every provider", () => {
  testsOfProviders(async () => ({
    provider: create(),
    switched: async () => broker.published.map(({ message }) => (message["role"] === "active" ? "on" : "off")),
  }));
});

test("a role and a mode are one document; the mode holds for a while", async () => {
  await create().request(act("on", "70W"));
  expect(document()).toMatchObject({
    ...{ role: "active", powerMode: "70W", powerModeUntilMs: nowMs + modeHoldMs, version: 1, reason: "test" },
  });
  await create().request(act("off", null));
  expect(document()).toMatchObject({ role: "standby", powerMode: null, powerModeUntilMs: null, version: 2 });
});

test("a mode that is wanted again is renewed when half of its time is over, not before", async () => {
  await create().request(act("on", "70W"));
  nowMs += modeHoldMs / 2 - 1;
  await create().request(act("on", "70W"));
  expect(document()?.version).toBe(1);
  nowMs += 1;
  await create().request(act("on", "70W"));
  expect(document()).toMatchObject({ version: 2, powerModeUntilMs: nowMs + modeHoldMs });
});

test("an operator's word on role or mode comes first", async () => {
  await hold({ role: "draining", powerMode: "MAXN" });
  await create().request(act("off", null));
  expect(document()).toMatchObject({ role: "draining", powerMode: null });
  await create().request(act("on", "70W"));
  expect(document()).toMatchObject({ role: "active", powerMode: null });
});

import { beforeEach, describe, expect, test } from "bun:test";
import { observeBirth, unknownAgent } from "#controller/fleet/agent-state.ts";
import { createDesiredDocuments, type DesiredDocuments } from "#controller/fleet/desired-documents.ts";
import { createFleet, type Fleet } from "#controller/fleet/fleet.ts";
import { createOverrides, type OverrideRequest, type Overrides } from "#controller/scaling/loop/overrides.ts";
import type { Store } from "#controller/store/store.ts";
import { createLogger } from "#platform/log.ts";
import { aBirth } from "../../../fakes/builders.ts";
import { createMemoryStore } from "../../memory-store.ts";
import { createRecordingBroker } from "../../recording-broker.ts";

const nowMs = 5_000_000;
let fleet: Fleet;
let store: Store;
let desired: DesiredDocuments;
let overrides: Overrides;
let changes: number;

beforeEach(() => {
  store = createMemoryStore();
  changes = 0;
  fleet = createFleet();
  fleet.put(observeBirth(unknownAgent("a", 0), aBirth({ agentId: "a" }), 0));
  fleet.put(unknownAgent("new", 0));
  const log = createLogger("test", "silent");
  desired = createDesiredDocuments({
    ...{ fleetName: "f", fleet, store, broker: createRecordingBroker(), nowMs: () => nowMs, log },
  });
  overrides = createOverrides({ fleet, desired, store, nowMs: () => nowMs, onChange: () => (changes += 1) });
});
const newest = async () => (await store.decisions({ limit: 1 }))[0]!;

describe("an operator's override", () => {
  test.each<[string, Partial<OverrideRequest>, object, object, string]>([
    [
      "a role",
      { role: "active" },
      { role: "active", powerMode: null, powerModeUntilMs: null },
      { activated: ["a"], stoodBy: [] },
      "a: an operator wants role active for 60 s",
    ],
    [
      "standby",
      { role: "standby" },
      { role: "standby", powerMode: null },
      { activated: [], stoodBy: ["a"] },
      "a: an operator wants role standby for 60 s",
    ],
    [
      "a mode",
      { powerMode: "70W" },
      { powerMode: "70W", powerModeUntilMs: nowMs + 60_000 },
      { activated: [], stoodBy: [] },
      "a: an operator wants power mode 70W for 60 s",
    ],
    [
      "a cap, with a role",
      { role: "draining", powerModeCap: "70W" },
      { role: "draining", powerMode: null, powerModeCap: "70W", powerModeCapUntilMs: nowMs + 60_000 },
      { activated: [], stoodBy: ["a"] },
      "a: an operator wants role draining and at most power mode 70W for 60 s",
    ],
  ])(
    "of %s is in the document, on record, and asks for a decision",
    async (_name, request, document, outcome, reason) => {
      await overrides.apply("a", { ...request, expiresInS: 60 });
      expect(desired.documents.get("a")).toMatchObject(document);
      expect(desired.overrides.get("a")).toMatchObject({ ...request, createdAtMs: nowMs, expiresAtMs: nowMs + 60_000 });
      expect(await newest()).toMatchObject({ kind: "override", rule: "override", reason, agents: ["a"], outcome });
      expect(changes).toBe(1);
    },
  );

  test("of a board with one mode may name no other", async () => {
    const { board } = aBirth();
    const [only] = board.powerModes;
    fleet.put(
      observeBirth(unknownAgent("one", 0), aBirth({ agentId: "one", board: { ...board, powerModes: [only!] } }), 0),
    );
    const failed = await overrides.apply("one", { powerMode: "9W", expiresInS: 60 }).catch((error) => error);
    expect(failed).toMatchObject({ message: 'powerMode: expected one of MAXN, got "9W"' });
    await overrides.apply("one", { powerMode: "MAXN", expiresInS: 60 });
    expect(desired.documents.get("one")?.powerMode).toBe("MAXN");
  });

  test("that names no mode ends the one before", async () => {
    await overrides.apply("a", { powerMode: "70W", powerModeCap: "MAXN", expiresInS: 60 });
    await overrides.apply("a", { role: "active", expiresInS: 60 });
    const document = desired.documents.get("a")!;
    expect([document.powerMode, document.powerModeCap ?? null]).toEqual([null, null]);
  });

  test("that is ended leaves the role, takes modes back, and is on record as ended", async () => {
    await overrides.apply("a", { role: "standby", powerMode: "70W", powerModeCap: "70W", expiresInS: 60 });
    const { override } = await overrides.end("a");
    expect(override.role).toBe("standby");
    expect(desired.overrides.has("a")).toBe(false);
    const document = desired.documents.get("a")!;
    expect(document).toMatchObject({ role: "standby", powerMode: null, powerModeUntilMs: null });
    expect(document.powerModeCap ?? null).toBeNull();
    expect(await newest()).toMatchObject({
      ...{ kind: "override-ended", rule: "override-removed", reason: "a: an operator ended the override" },
      outcome: { activated: [], stoodBy: [] },
    });
    expect(changes).toBe(2);
  });

  test("of an agent whose board is not known yet may name any mode", async () => {
    await overrides.apply("new", { powerMode: "15W", expiresInS: 60 });
    expect(desired.documents.get("new")?.powerMode).toBe("15W");
  });

  test("leaves the role where it names none", async () => {
    await overrides.apply("a", { role: "standby", expiresInS: 60 });
    await overrides.apply("a", { powerMode: "70W", expiresInS: 60 });
    expect(desired.documents.get("a")?.role).toBe("standby");
    expect(desired.overrides.get("a")).toStrictEqual({
      ...{ agentId: "a", role: null, powerMode: "70W", powerModeCap: null },
      ...{ createdAtMs: nowMs, expiresAtMs: nowMs + 60_000 },
    });
  });

  test("has an end only for what it names", async () => {
    await overrides.apply("a", { role: "standby", expiresInS: 60 });
    const { powerModeUntilMs, powerModeCapUntilMs } = desired.documents.get("a")!;
    expect([powerModeUntilMs, powerModeCapUntilMs ?? null]).toEqual([null, null]);
  });

  test("of an unknown agent, or the end of none, is refused by its id", async () => {
    const unknown = await overrides.apply("zz", { role: "active", expiresInS: 60 }).catch((error) => error);
    expect(unknown).toMatchObject({ code: "NOT_FOUND", message: "no agent zz has been heard of" });
    const none = await overrides.end("a").catch((error) => error);
    expect(none).toMatchObject({ code: "NOT_FOUND", message: "there is no override of a" });
    expect(changes).toBe(0);
  });

  test.each<[string, Partial<OverrideRequest>, string, string]>([
    ["nothing", {}, "INVALID_REQUEST", "role"],
    ["a mode that the board lacks", { powerMode: "9W" }, "INVALID_REQUEST", "powerMode"],
    ["a cap that the board lacks", { powerModeCap: "9W" }, "INVALID_REQUEST", "powerModeCap"],
  ])("of %s is refused and changes nothing", async (_name, request, code, param) => {
    const failed = await overrides.apply("a", { ...request, expiresInS: 60 }).catch((error) => error);
    expect(failed).toMatchObject({ code, details: { param } });
    expect(desired.overrides.size).toBe(0);
    expect(changes).toBe(0);
  });
});

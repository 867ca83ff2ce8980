import { beforeEach, expect, test } from "bun:test";
import { RebirthRequests } from "#controller/fleet/rebirth-requests.ts";
import { createLogger } from "#platform/log.ts";
import { createRecordingBroker, type RecordingBroker } from "../recording-broker.ts";

let broker: RecordingBroker;
let nowMs: number;
let requests: RebirthRequests;

beforeEach(() => {
  broker = createRecordingBroker();
  nowMs = 1_000_000.5;
  const log = createLogger("test", "silent");
  requests = new RebirthRequests({ fleetName: "f", broker, intervalMs: 60_000, nowMs: () => nowMs, log });
});
const ask = (agentId = "a") => requests.ask(agentId, [{ rule: "no-birth" }]);

test("a command names the agent and expires after a minute", async () => {
  await ask();
  expect(broker.published).toMatchObject([
    {
      topic: "thormesh/v1/f/agents/a/cmd",
      retain: false,
      message: { agentId: "a", kind: "rebirth", issuedAtMs: 1_000_001, expiresAtMs: 1_060_001 },
    },
  ]);
});

test.each([
  ["just before the interval is over", 59_999, 1],
  ["when it is over", 60_000, 2],
  ["when the clock was set back by less", -59_999, 1],
  ["when the clock was set back by more", -60_000, 2],
])("%s", async (_name, passedMs, asked) => {
  await ask();
  nowMs += passedMs;
  await ask();
  expect(broker.published).toHaveLength(asked);
});

test("each agent has its own interval, and none after it was forgotten", async () => {
  await ask("a");
  await ask("b");
  requests.forget("a");
  await ask("a");
  await ask("b");
  expect(broker.published.map(({ message }) => message["agentId"])).toEqual(["a", "b", "a"]);
});

test("a broker that is away costs nothing", async () => {
  broker.connected = false;
  await ask();
  expect(broker.published).toEqual([]);
});

import { expect, test } from "bun:test";
import { unknownAgent } from "#controller/fleet/agent-state.ts";
import { decidePeerList, type ListedAgent } from "#controller/fleet/decide-peer-list.ts";
import { createFleet } from "#controller/fleet/fleet.ts";
import { createPeerList } from "#controller/fleet/peer-list.ts";
import { aPresence } from "../../fakes/builders.ts";
import { createRecordingBroker } from "../../fakes/memory-broker.ts";

const agents = (count: number, change: Partial<ListedAgent> = {}, name = "a"): ListedAgent[] =>
  Array.from({ length: count }, (_, index) => ({
    agentId: `${name}${index}`,
    serves: true,
    isToWake: false,
    ...change,
  }));

test.each<[string, ListedAgent[], string[], { all: boolean; serving: number; wake: number }]>([
  ["none", [], [], { all: true, serving: 0, wake: 0 }],
  ["64", agents(64), [], { all: true, serving: 0, wake: 0 }],
  ["65", agents(65), [], { all: false, serving: 65, wake: 0 }],
  ["10,000", agents(10_000), [], { all: false, serving: 128, wake: 0 }],
  ["sleepers", agents(100, { serves: false, isToWake: true }), [], { all: false, serving: 0, wake: 32 }],
])("%s agents", (_, given, before, expected) => {
  const { all, serving, wake } = decidePeerList(given, before);
  expect({ all, serving: serving.length, wake: wake.length }).toEqual(expected);
});

test("who is listed stays while it serves", () => {
  const before = ["a9000", "gone", "a5"];
  expect(decidePeerList(agents(10_000), before).serving.slice(0, 3)).toEqual(["a9000", "a5", "a0"]);
});

test("a list is published when it has changed, or again", async () => {
  const broker = createRecordingBroker();
  const fleet = createFleet();
  const list = createPeerList({
    ...{ fleetName: "f", fleet, documents: new Map(), broker, staleAfterMs: 1e6, nowMs: () => 7 },
  });
  const put = (index: number, role: "active" | "standby") =>
    fleet.put({ ...unknownAgent(`a${index}`, 0), presence: aPresence({ agentId: `a${index}`, role }), bootId: "b" });
  for (let index = 0; index < 70; index += 1) put(index, index === 3 ? "active" : "standby");
  await list.publish();
  expect(broker.published).toEqual([]);
  broker.setConnected(true);
  for (const again of [false, false, true]) await list.publish(again);
  put(4, "active");
  await list.publish();
  expect(broker.published.map(({ topic, retain, payload }) => [topic, retain, JSON.parse(payload).serving])).toEqual([
    ["thormesh/v1/f/controller/peers", true, ["a3"]],
    ["thormesh/v1/f/controller/peers", true, ["a3"]],
    ["thormesh/v1/f/controller/peers", true, ["a3", "a4"]],
  ]);
});

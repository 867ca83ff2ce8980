import { expect, test } from "bun:test";
import { createPeers } from "#agent/mesh/peers.ts";
import { aPresence } from "../../fakes/builders.ts";

const far = { ownAgentId: "me", brokerUrl: "mqtt://10.0.0.1:1883" };
const ids = (peers: ReturnType<typeof createPeers>) => peers.serving().map(({ agentId }) => agentId);

test.each([
  ["http://10.0.0.7:8080", true],
  ["https://thor-1.local", true],
  ["http://127.0.0.1:8080", false],
  ["http://localhost:8080", false],
  ["http://[::1]:8080", false],
  ["http://thor-1:99999", false],
  ["", false],
])("clients are sent to %p from another machine: %p", (url, expected) => {
  const peers = createPeers(far);
  peers.observe(aPresence({ agentId: "b", url }));
  expect(peers.serving()).toEqual(expected ? [{ agentId: "b", url }] : []);
});

test.each(["mqtt://127.0.0.1:1883", "mqtts://localhost", "ws://[::1]:9001"])(
  "a fleet on one machine (%s) meets at loopback addresses",
  (brokerUrl) => {
    const peers = createPeers({ ownAgentId: "me", brokerUrl });
    peers.observe(aPresence({ agentId: "b", url: "http://127.0.0.1:8081" }));
    expect(ids(peers)).toEqual(["b"]);
  },
);

test("no more peers are remembered than may be; those go that were silent longest", () => {
  const peers = createPeers({ ...far, limits: { maxPeers: 3, confirmWithinMs: 1 } });
  for (const agentId of ["a", "b", "c", "a", "d"]) peers.observe(aPresence({ agentId, url: "http://10.0.0.7" }));
  expect(ids(peers)).toEqual(["a", "c", "d"]);
});

test("who is forgotten or offline is none; others' words change nothing", () => {
  const peers = createPeers(far);
  for (const agentId of ["a", "b"]) peers.observe(aPresence({ agentId, url: "http://10.0.0.7" }));
  peers.forget("a");
  peers.observe(aPresence({ agentId: "b", bootId: "older", status: "offline", url: "" }));
  expect(ids(peers)).toEqual(["b"]);
  peers.observe(aPresence({ agentId: "b", status: "offline", url: "" }));
  expect(ids(peers)).toEqual([]);
});

test("after a connection was lost, who is not named again soon is gone; before that nobody is", () => {
  let now = 0;
  const peers = createPeers({ ...far, realNowMs: () => now });
  peers.connectionChanged(false);
  peers.connectionChanged(true);
  for (const agentId of ["a", "b"]) peers.observe(aPresence({ agentId, url: "http://10.0.0.7" }));
  peers.connectionChanged(false);
  now += 3_600_000;
  expect(ids(peers)).toEqual(["a", "b"]);
  peers.connectionChanged(true);
  peers.observe(aPresence({ agentId: "b", url: "http://10.0.0.7" }));
  now += 29_999;
  expect(ids(peers)).toEqual(["a", "b"]);
  now += 1;
  expect(ids(peers)).toEqual(["b"]);
});

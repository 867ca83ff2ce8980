import { expect, test } from "bun:test";
import { scrapeTargets } from "#controller/api/prometheus/scrape-targets.ts";
import { observeBirth, observePresence, unknownAgent } from "#controller/fleet/agent-state.ts";
import { aBirth, aPresence } from "../../../fakes/builders.ts";

const agentAt = (url: string) => {
  const known = observeBirth(unknownAgent("thor-1", 0), aBirth({ url }), 0);
  return observePresence(known, aPresence({ url }), 0) ?? known;
};
const addressesOf = (url: string, fromThisMachine = false) =>
  scrapeTargets([agentAt(url)], "plant", fromThisMachine).flatMap(({ targets }) => targets);

test("an agent's address, with what its metrics are told apart by", () => {
  expect(scrapeTargets([agentAt("http://10.0.0.7:8080")], "plant", false)).toEqual([
    {
      targets: ["10.0.0.7:8080"],
      labels: { agent: "thor-1", cluster: "plant", region: "hall-1", board: "Thor", __scheme__: "http" },
    },
  ]);
});

test.each([
  ["http://thor-1.local", "thor-1.local:80"],
  ["https://thor-1.local", "thor-1.local:443"],
  ["https://[fd00::7]:8443", "[fd00::7]:8443"],
])("%s is scraped at %s", (url, address) => {
  expect(addressesOf(url)).toEqual([address]);
});

test("an encrypted address is scraped by https", () => {
  expect(scrapeTargets([agentAt("https://thor-1.local")], "plant", false)[0]?.labels["__scheme__"]).toBe("https");
});

test.each(["http://127.0.0.1:8080", "http://localhost:8080", "http://[::1]:8080"])(
  "%s is told to this machine only: elsewhere it would be another program",
  (url) => {
    expect(addressesOf(url, false)).toEqual([]);
    expect(addressesOf(url, true)).toEqual([new URL(url).host]);
  },
);

test("an agent whose address is unknown is left out", () => {
  expect(scrapeTargets([unknownAgent("thor-1", 0)], "plant", true)).toEqual([]);
});

test("one that went offline stays: Prometheus is to see that it is away", () => {
  const gone = observePresence(agentAt("http://10.0.0.7:8080"), aPresence({ status: "offline", url: "" }), 1);
  expect(scrapeTargets(gone === null ? [] : [gone], "plant", false)).toHaveLength(1);
});

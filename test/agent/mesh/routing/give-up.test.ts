import { expect, test } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import { MeshConfig } from "#agent/mesh/mesh-config.ts";
import { Backends } from "#agent/mesh/routing/backends.ts";
import type { MeshPeer } from "#agent/mesh/routing/remote.ts";
import type { RemoteReply } from "#agent/mesh/routing/remote-client.ts";
import { RoutedEmbedder, type RouterParts } from "#agent/mesh/routing/routed-embedder.ts";
import type { EmbedResult } from "#agent/serving/admission/embedder.ts";
import type { Home } from "#agent/serving/admission/home.ts";
import type { ServiceError } from "#platform/errors.ts";

const result: EmbedResult = {
  ...{ model: "m", dimension: 1, relevantLabel: 0, vectors: [Float32Array.of(1)], tokens: 3, truncatedInputs: 0 },
  durationMs: 1,
};
const answered: RemoteReply = { outcome: "answered", load: null, result, error: null, mayRetry: false };
const { signal } = new AbortController();

/** A router before two peers, of which the cheap one is asked first and does as it is told. */
function twoPeers(ask: RouterParts["client"]["ask"]) {
  const config = Value.Parse(MeshConfig, { hedge: false, targetMs: 600_000 }) as MeshConfig;
  const peer = (agentId: string, usdPerRequest: number): MeshPeer => ({
    ...{ agentId, bootId: "boot", url: "http://127.0.0.1:1", region: "", spaces: { m: "space" }, qps: 100 },
    ...{ usdPerRequest, silent: false },
  });
  const peers = [peer("cheap", 1), peer("dear", 2)];
  const nowMs = () => performance.now();
  const extra: string[] = [];
  const backends = new Backends({ config, ownId: "own", peers: () => peers, nowMs, random: () => 0.5 });
  const home: Home = {
    ...{ inFlight: () => 0, queueDepth: () => 0, recordElsewhere: () => undefined, load: () => null },
    ...{
      model: () => ({
        id: "m",
        space: "space",
        maxTokens: 10,
        dimension: 1,
        prompts: { id: "m", prompts: {}, defaultPrompt: null },
        tokenIds: "marked" as const,
      }),
    },
    embed: () => Promise.reject(new Error("not asked")),
    attempt: () => Promise.reject(new Error("not asked")),
    tokenize: () => Promise.reject(new Error("not asked")),
    recordRefused: async (_, error) => error as ServiceError,
  };
  const embedder = new RoutedEmbedder({
    ...{ config, region: "", home, nowMs, backends, requestTimeoutMs: 600_000, random: () => 0.5 },
    regionsOf: () => null,
    homeCapacity: () => ({ capacityQps: null, utilization: 0, usdPerRequest: 0 }),
    client: { ask },
    ...{ onRoute: () => undefined, onExtra: (kind) => extra.push(kind) },
  });
  const send = () => embedder.embed({ model: "m", inputs: ["a"], inputsField: "input", dimensions: undefined, signal });
  return { send, extra, circuitOf: (id: string) => backends.describe().find((each) => each.id === id)?.circuit };
}

/** Resolves when the attempt is given up. */
const hang = (given: AbortSignal) =>
  new Promise<never>((_, reject) => given.addEventListener("abort", () => reject(given.reason)));

test("a silent peer is given up for another after many times the usual, and thrice in a row not asked any more", async () => {
  let isHanging = false;
  const asked: string[] = [];
  const { send, extra, circuitOf } = twoPeers(({ id }, _request, { budgetMs }, given) => {
    asked.push(id);
    // It is told all of the time that is left: it is not its fault when the router turns elsewhere.
    expect(budgetMs).toBeGreaterThan(500_000);
    return isHanging && id === "cheap" ? hang(given) : Promise.resolve(answered);
  });
  expect(await send()).toMatchObject({ servedBy: "cheap" });
  isHanging = true;
  for (let count = 0; count < 3; count += 1) expect(await send()).toMatchObject({ servedBy: "dear" });
  expect(extra).toEqual(["retry", "retry", "retry"]);
  expect(circuitOf("cheap")).not.toBe("closed");
  expect(await send()).toMatchObject({ servedBy: "dear" });
  expect(asked).toEqual(["cheap", "cheap", "dear", "cheap", "dear", "cheap", "dear", "dear"]);
});

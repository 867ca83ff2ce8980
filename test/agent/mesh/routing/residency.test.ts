import { expect, test } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import { MeshConfig } from "#agent/mesh/mesh-config.ts";
import { Backends } from "#agent/mesh/routing/backends.ts";
import type { MeshPeer, Remote } from "#agent/mesh/routing/remote.ts";
import type { RemoteReply } from "#agent/mesh/routing/remote-client.ts";
import { RoutedEmbedder } from "#agent/mesh/routing/routed-embedder.ts";
import type { EmbedRequest, EmbedResult } from "#agent/serving/admission/embedder.ts";
import type { Home } from "#agent/serving/admission/home.ts";
import { seededRandom } from "#forecast/lstm/seeded-random.ts";
import { ServiceError } from "#platform/errors.ts";
import type { CallerScope } from "#platform/http/guard/identify-caller.ts";

const regions = ["eu", "us", "ap", ""];
const result: EmbedResult = {
  ...{ model: "m", dimension: 1, relevantLabel: 0, vectors: [Float32Array.of(1)], tokens: 3, truncatedInputs: 0 },
  durationMs: 1,
};
const failed = (outcome: RemoteReply["outcome"], mayRetry = true): RemoteReply => ({
  ...{ outcome, load: null, result: null, mayRetry },
  error: new ServiceError(outcome === "refused" ? "TOO_MANY_REQUESTS" : "MODEL_UNAVAILABLE", outcome),
});

/** A fleet of random shape, with offers, whose backends answer, fail, refuse, break or dawdle at random. */
function randomFleet(seed: number) {
  const random = seededRandom(seed);
  const pick = <T>(values: readonly T[]) => values[Math.floor(random() * values.length)] as T;
  const some = <T>(values: readonly T[]) => values.filter(() => random() < 0.5);
  const agents = Array.from({ length: Math.floor(random() * 6) }, (_, index) => `agent-${index}`);
  const config = Value.Parse(MeshConfig, {
    residency: { bound: ["eu"], wide: ["eu", "ap"], none: ["nowhere"] },
    // Some agents' regions are not configured, and some say something else than they claim.
    peerRegions: Object.fromEntries(some(agents).map((id) => [id, pick(["eu", "us", "ap"])])),
    late: pick(["try", "refuse"]),
    hedge: random() < 0.7,
    forward: random() < 0.9 ? "when-needed" : "never",
    targetMs: pick([0.1, 50, 10_000]),
    offers: Array.from({ length: Math.floor(random() * 3) }, (_, index) => ({
      ...{ name: `offer-${index}`, kind: pick(["spot", "serverless", "on-demand"]), url: "http://127.0.0.1:1" },
      ...{ models: { m: "m" }, region: pick(regions), usdPerRequest: random(), latencyMs: 1 },
    })),
  }) as MeshConfig;
  const peers = agents.map(
    (agentId): MeshPeer => ({
      ...{ agentId, bootId: pick(["a", "b"]), url: "http://127.0.0.1:1", region: pick(regions) },
      ...{ spaces: { m: "space" }, qps: pick([null, 0, 10, 500]), usdPerRequest: pick([null, 0, random()]) },
      silent: random() < 0.2,
    }),
  );
  const homeRegion = pick(regions);
  const asked: { readonly tenant: string; readonly region: string }[] = [];
  const reply = async (): Promise<RemoteReply> => {
    if (random() < 0.3) await Bun.sleep(4 * random());
    const draw = random();
    if (draw < 0.45) return { outcome: "answered", load: null, result, error: null, mayRetry: false };
    return failed(pick(["failed", "refused", "own-deadline", "failed"]));
  };
  const homeAnswers = random() < 0.6;
  const home: Home = {
    ...{ inFlight: () => 0, queueDepth: () => 0, recordElsewhere: () => undefined },
    embed: async (request) => home.attempt(request),
    attempt: async ({ tenant = "default" }) => {
      asked.push({ tenant, region: homeRegion });
      if (random() < 0.5) throw new ServiceError("TOO_MANY_REQUESTS", "full");
      return result;
    },
    tokenize: () => Promise.reject(new Error("not asked")),
    model: () => ({
      id: "m",
      space: "space",
      maxTokens: 10,
      dimension: 1,
      prompts: { id: "m", prompts: {}, defaultPrompt: null },
      tokenIds: "marked",
    }),
    load: () => (homeAnswers ? { expectedMs: pick([null, 1, 500]), inFlight: 0, queued: 0 } : null),
    recordRefused: async (_, error) => error as ServiceError,
  };
  const regionOf = (remote: Remote) =>
    remote.kind === "offer" ? remote.offer.region : (config.peerRegions[remote.peer.agentId] ?? "(unknown)");
  const nowMs = () => performance.now();
  const embedder = new RoutedEmbedder({
    regionsOf: (tenant) => config.residency[tenant] ?? null,
    ...{ config, region: homeRegion, home, random, nowMs, requestTimeoutMs: 1_000 },
    homeCapacity: () => ({ capacityQps: pick([null, 10]), utilization: random(), usdPerRequest: random() }),
    backends: new Backends({ config, ownId: "own", peers: () => peers, nowMs, random }),
    client: {
      ask(remote, request: EmbedRequest) {
        asked.push({ tenant: request.tenant ?? "default", region: regionOf(remote) });
        return reply();
      },
    },
    ...{ onRoute: () => undefined, onExtra: () => undefined },
  });
  return { embedder, asked };
}

test("whatever the fleet and whatever fails, the forwarder sends no tenant's texts out of its regions", async () => {
  const allowed: Record<string, readonly string[]> = {
    bound: ["eu"],
    wide: ["eu", "ap"],
    none: ["nowhere"],
    keyed: ["eu"],
  };
  // The key of a tenant that is bound to no region.
  const scopes: Record<string, CallerScope> = { keyed: { models: null, regions: ["eu"] } };
  const counts = { asked: 0, refused: 0, answered: 0 };
  for (let seed = 1; seed <= 150; seed += 1) {
    const { embedder, asked } = randomFleet(seed);
    const { signal } = new AbortController();
    const send = async (tenant: string) => {
      const request = {
        ...{ model: "m", inputs: ["a"], inputsField: "input", dimensions: undefined },
        tenant,
        signal,
        scope: scopes[tenant],
      };
      const answer = await embedder.embed(request).catch((error: unknown) => error);
      if (answer instanceof ServiceError) counts.refused += 1;
      else if (answer === undefined || answer instanceof Error) throw answer;
      else counts.answered += 1;
    };
    for (let round = 0; round < 6; round += 1) await Promise.all(["bound", "wide", "none", "free", "keyed"].map(send));
    for (const { tenant, region } of asked) {
      counts.asked += 1;
      const within = allowed[tenant];
      if (within !== undefined && !within.includes(region))
        expect({ seed, tenant, region }).toEqual({ seed, tenant, region: within.join(" or ") });
    }
    expect(asked.some(({ tenant }) => tenant === "none")).toBe(false);
  }
  // The test asked, failed and answered enough to say something.
  expect(Math.min(counts.asked, counts.refused, counts.answered)).toBeGreaterThan(500);
});

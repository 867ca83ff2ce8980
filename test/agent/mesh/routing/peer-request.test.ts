import { afterAll, expect, test } from "bun:test";
import { type PeerAnswer, PeerRequest } from "#agent/mesh/routing/peer-message.ts";
import { RemoteClient } from "#agent/mesh/routing/remote-client.ts";
import type { EmbedRequest } from "#agent/serving/admission/embedder.ts";
import { isValid } from "#platform/schema-mistakes.ts";

const bodies: unknown[] = [];
const answer = {
  ...{ model: "m", space: "s", dimension: 1, relevantLabel: 0, vectors: ["AACAPw=="], tokens: 1, truncatedInputs: 0 },
  prompt: "query",
} satisfies PeerAnswer;
const peer = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  async fetch(request) {
    bodies.push(await request.json());
    return Response.json(answer);
  },
});
afterAll(() => peer.stop(true));

test("all that a client says of its texts goes to the peer that computes them", async () => {
  const client = new RemoteClient({
    ...{ ownId: "one", secret: null, peerNetworks: [], nowMs: Date.now },
    ...{ offerKey: () => null, promptsOf: () => null },
  });
  const { signal } = new AbortController();
  const said = {
    ...{ promptName: "query", textKinds: [{ field: "input_type", value: "search_query" }] },
    ...{
      truncate: false,
      truncationSide: "left" as const,
      tokenLimits: [{ field: "max_length", tokens: 512 }],
      dimensions: 1,
    },
  } as const;
  const request = { model: "m", inputs: ["a"], inputsField: "input", signal, ...said } satisfies EmbedRequest;
  const url = peer.url.href;
  const facts = { agentId: "two", bootId: "b", url, region: "", spaces: { m: "s" }, qps: null, usdPerRequest: null };
  const terms = { space: "s", dimension: 1, budgetMs: 60_000, maxWaitMs: null, hopMs: 0 };
  const remote = { kind: "peer", id: "two", peer: { ...facts, silent: false } } as const;
  const { result } = await client.ask(remote, request, terms, signal);
  expect(bodies[0]).toMatchObject(said);
  expect(isValid(PeerRequest(1), bodies[0])).toBe(true);
  expect(result).toMatchObject({ prompt: "query", model: "m" });
});

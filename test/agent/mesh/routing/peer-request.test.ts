import { afterAll, expect, test } from "bun:test";
import { Elysia } from "elysia";
import { peerRoutes } from "#agent/mesh/mesh-routes.ts";
import { type PeerAnswer, PeerRequest, peerPath } from "#agent/mesh/routing/peer-message.ts";
import { RemoteClient } from "#agent/mesh/routing/remote-client.ts";
import type { EmbedRequest } from "#agent/serving/admission/embedder.ts";
import type { Home } from "#agent/serving/admission/home.ts";
import type { ServiceError } from "#platform/errors.ts";
import { errorResponse } from "#platform/http/error-response.ts";
import { isValid } from "#platform/schema-mistakes.ts";
import { sameVectors } from "../../serving/grpc/start-grpc.ts";

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

const { signal } = new AbortController();
const url = peer.url.href;
const facts = { agentId: "two", bootId: "b", url, region: "", spaces: { m: "s" }, qps: null, usdPerRequest: null };
const terms = { space: "s", dimension: 1, budgetMs: 60_000, maxWaitMs: null, hopMs: 0 };
const remote = { kind: "peer", id: "two", peer: { ...facts, silent: false } } as const;
const here = { prompts: { id: "m", prompts: {}, defaultPrompt: null }, tokenIds: "cl100k_base" } as const;

async function ask(said: Omit<EmbedRequest, "model" | "inputsField" | "signal">, modelHere: typeof here | null = here) {
  const client = new RemoteClient({
    ...{ ownId: "one", secret: null, peerNetworks: [], nowMs: Date.now },
    ...{ offerKey: () => null, modelHere: () => modelHere },
  });
  bodies.length = 0;
  const { result } = await client.ask(remote, { model: "m", inputsField: "input", signal, ...said }, terms, signal);
  expect(isValid(PeerRequest(1), bodies[0])).toBe(true);
  return result;
}

test("all that a client says of its texts goes to the peer that computes them", async () => {
  const said = {
    ...{ promptName: "query", textKinds: [{ field: "input_type", value: "search_query" }], inputs: ["a"] },
    ...{ truncate: false, truncationSide: "left", tokenLimits: [{ field: "max_length", tokens: 512 }], dimensions: 1 },
  } satisfies Omit<EmbedRequest, "model" | "inputsField" | "signal">;
  expect(await ask(said)).toMatchObject({ prompt: "query", model: "m" });
  expect(bodies[0]).toMatchObject(said);
  expect(bodies[0]).not.toHaveProperty("tokenIds");
});

test("how token ids are read here goes with them", async () => {
  await ask({ inputs: [[1, 2]], dimensions: undefined });
  expect(bodies[0]).toMatchObject({ tokenIds: "cl100k_base" });
  await ask({ inputs: [[1, 2]], dimensions: undefined }, null);
  expect(bodies[0]).toMatchObject({ tokenIds: null });
});

test.each([
  ["marked", 409],
  ["own", 409],
  ["cl100k_base", 200],
  [null, 200],
  [undefined, 200],
] as const)(
  "a peer that reads ids as cl100k_base, asked by one that reads them as %s: %s",
  async (tokenIds, status) => {
    const home = {
      ...sameVectors(1),
      model: () => ({ id: "m", space: "s", maxTokens: 10, dimension: 1, ...here }),
    } as unknown as Home;
    const routes = new Elysia({ normalize: false })
      .onError(({ error }) => errorResponse(error as ServiceError, "plain"))
      .use(
        peerRoutes({
          home,
          maxInputs: 1,
          mustBePeer: () => false,
          load: () => ({ queued: 0, computing: 0, qps: null }) as never,
        }),
      );
    const body = {
      model: "m",
      space: "s",
      inputs: [[1, 2]],
      inputsField: "input",
      tenant: "t",
      budgetMs: 1_000,
      tokenIds,
    };
    const headers = { "content-type": "application/json" };
    const answer = await routes.handle(
      new Request(`http://localhost${peerPath}`, { method: "POST", headers, body: JSON.stringify(body) }),
    );
    expect(answer.status).toBe(status);
    if (status === 409) expect((await answer.json()) as object).toMatchObject({ param: "tokenIds" });
  },
);

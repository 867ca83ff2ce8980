import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import { Registry } from "prom-client";
import { Mesh } from "#agent/mesh/mesh.ts";
import { MeshConfig } from "#agent/mesh/mesh-config.ts";
import { peerPath } from "#agent/mesh/routing/peer-message.ts";
import type { MeshPeer } from "#agent/mesh/routing/remote.ts";
import { secretOfKeys, signPeerRequest } from "#platform/http/guard/peer-signature.ts";
import type { TestConfig } from "../serving/start-serving.ts";
import { ask, asPeer, fakePeer as fakePeerOf, type Member, model, servedBy, spaceOf, TestMesh } from "./start-mesh.ts";

const mesh = new TestMesh();
const { members } = mesh;
const start = (id: string, config: Partial<MeshConfig> = {}, serving: TestConfig = {}) =>
  mesh.start(id, config, serving);
const upstream = (answer: (request: Request) => Response | Promise<Response>) => mesh.upstream(answer);
const fakePeer = (id: string, url: string, changes: Partial<MeshPeer> = {}) => fakePeerOf(worker, id, url, changes);

let worker: Member;
let second: Member;
let entry: Member;
beforeAll(async () => {
  [worker, second, entry] = await Promise.all([
    start("worker"),
    start("second"),
    start("entry", { targetMs: 600_000 }),
  ]);
});
afterEach(() => {
  mesh.stopUpstreams();
  entry.role.role = "active";
  entry.peers = [];
});
afterAll(() => mesh.stop());

describe("a request that reaches any agent is answered", () => {
  test("a peer with a long queue refuses at once, and another one that costs the same is asked: no extra work", async () => {
    entry.role.role = "standby";
    const waits: (string | null)[] = [];
    const full = upstream((request) => {
      waits.push(request.headers.get("x-thormesh-max-wait-ms"));
      const headers = { "x-thormesh-load": "q=9;c=1;cap=100;w=0.5" };
      return Response.json(
        { error: "another peer may have a shorter queue", code: "TOO_MANY_REQUESTS" },
        { status: 429, headers },
      );
    });
    entry.peers = [fakePeer("full", full, { usdPerRequest: 1 }), asPeer(worker, { usdPerRequest: 1 })];
    const extra = async () => {
      const metrics = await (await fetch(`${entry.serving.url}/metrics`)).text();
      return /thormesh_route_extra_attempts_total\{kind="retry"\} \d+/.exec(metrics)?.[0];
    };
    const before = await extra();
    for (let text = 0; text < 40 && waits.length === 0; text += 1) {
      const response = await ask(entry, `text ${text}`, { "x-latency-budget": "20000" });
      expect({ status: response.status, by: servedBy(response) }).toEqual({ status: 200, by: "worker" });
    }
    // A fifteenth of the time left.
    expect(Number(waits[0])).toBeGreaterThan(1_200);
    expect(Number(waits[0])).toBeLessThanOrEqual(20_000 / 15);
    expect(await extra()).toEqual(before);
  });

  test("a peer with a long queue takes the request after all where the others do not", async () => {
    entry.role.role = "standby";
    const asked: boolean[] = [];
    const target = `${worker.serving.url}${peerPath}`;
    const full = upstream(async (request) => {
      const isLimited = request.headers.has("x-thormesh-max-wait-ms");
      asked.push(isLimited);
      if (isLimited) return Response.json({ error: "a long queue", code: "TOO_MANY_REQUESTS" }, { status: 429 });
      return fetch(target, { method: "POST", headers: request.headers, body: await request.arrayBuffer() });
    });
    // Leaving is no failure: its circuit stays closed, however often it is drawn first.
    const leaving = upstream(() => Response.json({ error: "stopping", code: "SHUTTING_DOWN" }, { status: 503 }));
    entry.peers = [fakePeer("queue", full, { usdPerRequest: 1 }), fakePeer("leaving", leaving, { usdPerRequest: 1 })];
    for (let text = 0; text < 40 && !asked.includes(true); text += 1) {
      const response = await ask(entry, `again ${text}`);
      expect({ status: response.status, by: servedBy(response) }).toEqual({ status: 200, by: "queue" });
    }
    expect(asked.slice(-2)).toEqual([true, false]);
  });

  test("on standby, by a peer; it is demand here, and work there", async () => {
    entry.role.role = "standby";
    entry.peers = [asPeer(worker)];
    const before = {
      served: entry.sink.served.length,
      work: worker.sink.work.length,
      there: worker.sink.served.length,
    };
    const response = await ask(entry, "a text for the mesh");
    expect({ status: response.status, by: servedBy(response) }).toEqual({ status: 200, by: "worker" });
    const own = (await (await ask(worker, "a text for the mesh")).json()) as { data: { embedding: number[] }[] };
    const { data, usage } = (await response.json()) as {
      data: { embedding: number[] }[];
      usage: { total_tokens: number };
    };
    expect(data[0]?.embedding).toEqual(own.data[0]?.embedding as number[]);
    expect(usage.total_tokens).toBe(7);
    expect(entry.sink.served.slice(before.served)).toMatchObject([
      { model, texts: 1, tokens: 7, sentTexts: 1, computeMs: 0 },
    ]);
    expect(worker.sink.work.slice(before.work)).toMatchObject([{ model, texts: 1, tokens: 7 }]);
    expect(worker.sink.work.at(-1)?.computeMs).toBeGreaterThan(0);
    // The comparison asked it itself, once.
    expect(worker.sink.served.length - before.there).toBe(1);
  });

  test("here, where this agent serves and costs no more", async () => {
    entry.peers = [asPeer(worker)];
    const response = await ask(entry, "stay at home");
    expect({ status: response.status, by: servedBy(response) }).toEqual({ status: 200, by: "home" });
  });

  test.each([
    ["can't be reached", () => "http://127.0.0.1:1"],
    [
      "does not know the signature, as where a clock is an hour off",
      () =>
        upstream(() => Response.json({ error: "a valid API key is needed", code: "UNAUTHORIZED" }, { status: 401 })),
    ],
    ["fails fast", () => upstream(() => new Response("no", { status: 500 }))],
    ["answers with something else", () => upstream(() => Response.json({ hello: "world" }))],
    ["redirects", () => upstream(() => Response.redirect("http://127.0.0.1:1/"))],
    [
      "never ends",
      () => upstream(() => new Response(new ReadableStream({ pull: (to) => to.enqueue(new Uint8Array(65_536)) }))),
    ],
    [
      "is full",
      () => upstream(() => Response.json({ error: "the queue is full", code: "TOO_MANY_REQUESTS" }, { status: 429 })),
    ],
    ["is stopping", () => upstream(() => Response.json({ error: "stopping", code: "SHUTTING_DOWN" }, { status: 503 }))],
  ])("by another peer where the first %s", async (_, urlOf) => {
    entry.role.role = "standby";
    // The cheaper one is asked first.
    entry.peers = [
      fakePeer(`bad-${_.replaceAll(" ", "-")}`, urlOf(), { usdPerRequest: 1e-9 }),
      asPeer(second, { usdPerRequest: 1 }),
    ];
    const response = await ask(entry, `after one that ${_}`);
    expect({ status: response.status, by: servedBy(response) }).toEqual({ status: 200, by: "second" });
  });

  test("not by a peer with other vectors, whatever it says of itself", async () => {
    entry.role.role = "standby";
    entry.peers = [asPeer(worker, { spaces: { [model]: "0000000000000000" } })];
    expect((await ask(entry, "other vectors")).status).toBe(503);
    // It changed its model since its presence: it refuses by itself.
    entry.peers = [
      fakePeer(
        "changed",
        upstream(async (request) => {
          const said = (await request.json()) as { inputs: string[] };
          return Response.json({
            ...{ model, space: "1111111111111111", dimension: 2, relevantLabel: 0, tokens: 3, truncatedInputs: 0 },
            vectors: said.inputs.map(() => Buffer.from(Float32Array.of(1, 0).buffer).toString("base64")),
          });
        }),
      ),
    ];
    expect((await ask(entry, "other vectors still")).status).toBe(503);
  });

  test("by nobody, where nobody is left: the client is told, and the refusal is counted once", async () => {
    entry.role.role = "standby";
    entry.peers = [fakePeer("gone", "http://127.0.0.1:1")];
    const before = entry.sink.refused.length;
    const response = await ask(entry, "nobody");
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("1");
    expect(entry.sink.refused.slice(before)).toHaveLength(1);
  });

  test("the client's own mistake is the client's, also where a peer finds it", async () => {
    entry.role.role = "standby";
    entry.peers = [asPeer(worker), asPeer(second)];
    const response = await fetch(`${entry.serving.url}/api/v1/embed`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ inputs: ["long ".repeat(400)], truncate: false }),
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      error: expect.stringContaining("inputs.0: expected at most 256 tokens"),
    });
  });

  test("never passed on twice: a standby peer that is asked refuses, although it knows others", async () => {
    second.role.role = "standby";
    second.peers = [asPeer(worker)];
    entry.role.role = "standby";
    entry.peers = [asPeer(second)];
    const before = worker.sink.work.length;
    expect((await ask(entry, "round and round")).status).toBe(503);
    expect(worker.sink.work.length).toBe(before);
    second.role.role = "active";
    second.peers = [];
  });

  test("a peer that hangs is passed over for a second one after the usual time, and that is no wait of 30 s", async () => {
    entry.role.role = "standby";
    let isHanging = false;
    const proxy = upstream((request) => {
      if (isHanging) return new Promise<Response>(() => {});
      return fetch(`${worker.serving.url}${peerPath}`, {
        method: "POST",
        headers: request.headers,
        body: request.body,
      });
    });
    entry.peers = [fakePeer("hangs", proxy, { usdPerRequest: 1e-9 }), asPeer(second, { usdPerRequest: 1 })];
    for (let index = 0; index < 25; index += 1) expect((await ask(entry, `usual ${index}`)).status).toBe(200);
    isHanging = true;
    const response = await ask(entry, "hedged");
    expect({ status: response.status, by: servedBy(response) }).toEqual({ status: 200, by: "second" });
    const metrics = await (await fetch(`${entry.serving.url}/metrics`)).text();
    expect(metrics).toMatch(/thormesh_route_extra_attempts_total\{kind="hedge"\} [1-9]/);
    // The price is that of the one who answered, not of the first choice.
    const { routes } = (await (await fetch(`${entry.serving.url}/api/v1/mesh`)).json()) as { routes: unknown[] };
    expect(routes[0]).toMatchObject({ backend: "second", usd: 1, outcome: "answered" });
    expect(entry.mesh.takeMinute()).toMatchObject({
      routes: expect.arrayContaining([expect.objectContaining({ backend: "hangs", kind: "peer" })]),
      hedges: expect.any(Number),
      hops: expect.arrayContaining([{ backend: "hangs", ms: expect.any(Number) }]),
    });
    expect(entry.mesh.takeMinute()?.routes ?? []).toEqual([]);
  });

  test("the newest routes say why", async () => {
    entry.role.role = "standby";
    entry.peers = [asPeer(worker)];
    await ask(entry, "why");
    const { routes } = (await (await fetch(`${entry.serving.url}/api/v1/mesh`)).json()) as {
      routes: { reason: string; backend: string }[];
    };
    expect(routes[0]).toMatchObject({ backend: "worker" });
    expect(routes[0]?.reason).toStartWith("worker: the only one available");
  });
});

describe("an agent without a model", () => {
  test("passes everything on, is ready while it knows another agent, and says so", async () => {
    const gateway = await start("gateway", {}, { model: "none" });
    const get = async (path: string) => {
      const response = await fetch(gateway.serving.url + path);
      return { status: response.status, body: (await response.json()) as Record<string, never> };
    };
    expect(await get("/readyz")).toMatchObject({
      status: 503,
      body: { reason: expect.stringContaining("no other agent") },
    });
    const alone = await ask(gateway, "anybody?");
    expect(alone.status).toBe(404);
    gateway.peers = [asPeer(worker)];
    expect(await get("/readyz")).toMatchObject({ status: 200 });
    expect(await get("/health")).toMatchObject({
      body: { status: "healthy", checks: { embedding_provider: "unused" } },
    });
    const response = await ask(gateway, "through the gate");
    expect({ status: response.status, by: servedBy(response) }).toEqual({ status: 200, by: "worker" });
    // A request that names no model gets the one that most agents serve.
    const unnamed = await fetch(`${gateway.serving.url}/api/v1/embed`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ inputs: ["no name"] }),
    });
    expect(unnamed.status).toBe(200);
    expect(await unnamed.json()).toMatchObject({ model });
    expect((await ask({ ...gateway, serving: gateway.serving }, "x", {})).status).toBe(200);
    expect(gateway.sink.served.every(({ sentTexts }) => sentTexts === 1)).toBe(true);
  });

  test("a model that nobody has is told as such", async () => {
    const gateway = await start("gateway-2", {}, { model: "none" });
    gateway.peers = [asPeer(worker)];
    const response = await fetch(`${gateway.serving.url}/v1/embeddings`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "gpt-99", input: "x" }),
    });
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ error: { param: "model" } });
  });
});

describe("who may ask an agent for another", () => {
  const keys = ["key-of-all", { key: "key-of-red", tenant: "red" }];
  let guarded: Member;
  let stranger: Member;
  beforeAll(async () => {
    [guarded, stranger] = await Promise.all([
      start("guarded", {}, { apiKeys: keys }),
      start("stranger", {}, { apiKeys: ["another-key"] }),
    ]);
  });

  const body = JSON.stringify({
    ...{ model, space: "", inputs: ["a"], inputsField: "input", tenant: "blue", budgetMs: 60_000 },
  });
  const post = (authorization: string | null, path = peerPath) =>
    fetch(guarded.serving.url + path, {
      method: "POST",
      headers: { "content-type": "application/json", ...(authorization === null ? {} : { authorization }) },
      body: path === peerPath ? body.replace('"space":""', `"space":"${spaceOf(guarded)}"`) : '{"input":"a"}',
    });

  test("a peer with the same keys, for the tenant whose request it is", async () => {
    const entry = await start("keyed-entry", {}, { apiKeys: keys });
    entry.role.role = "standby";
    entry.peers = [asPeer(guarded)];
    const response = await ask(entry, "red asks", { authorization: "Bearer key-of-red" });
    expect({ status: response.status, by: servedBy(response) }).toEqual({ status: 200, by: "guarded" });
    expect(guarded.sink.work.at(-1)).toMatchObject({ tenant: "red", texts: 1 });
    expect(entry.sink.served.at(-1)).toMatchObject({ tenant: "red", sentTexts: 1 });
  });

  test("not a client with its own key, not an agent with other keys, not a signature that is old or for another path", async () => {
    const secret = secretOfKeys(["key-of-all", "key-of-red"]) as string;
    expect((await post("Bearer key-of-red")).status).toBe(403);
    expect((await post(null)).status).toBe(401);
    expect((await post(signPeerRequest("guessed", "thor-1", peerPath, Date.now()))).status).toBe(401);
    expect((await post(signPeerRequest(secret, "thor-1", peerPath, Date.now() - 11 * 60_000))).status).toBe(401);
    expect((await post(signPeerRequest(secret, "thor-1", "/v1/embeddings", Date.now()), "/v1/embeddings")).status).toBe(
      401,
    );
    expect((await post(signPeerRequest(secret, "thor-1", peerPath, Date.now()), "/v1/embeddings")).status).toBe(401);
    expect((await post(signPeerRequest(secret, "thor-1", peerPath, Date.now()))).status).toBe(200);
  });

  test("an agent with other keys is no backend, and the client is told", async () => {
    stranger.role.role = "standby";
    stranger.peers = [asPeer(guarded)];
    const response = await ask(stranger, "let me in", { authorization: "Bearer another-key" });
    expect(response.status).toBe(503);
  });
});

describe("places outside the fleet", () => {
  const vectorOf = (text: string) => [text.length, 1, ...new Array<number>(382).fill(0)];
  const openAi = (change: (answer: Record<string, unknown>) => unknown = (answer) => answer) =>
    upstream(async (request) => {
      const { input, model: name } = (await request.json()) as { input: string[]; model: string };
      const data = input.map((text, index) => ({ object: "embedding", index, embedding: vectorOf(text) }));
      return Response.json(change({ object: "list", data, model: name, usage: { prompt_tokens: 4, total_tokens: 4 } }));
    });
  const offer = (name: string, url: string, changes: object = {}) => ({
    ...{ name, kind: "spot", url, models: { [model]: "minilm" }, usdPerRequest: 0.000_002 },
    ...changes,
  });
  const withOffers = async (offers: readonly object[], config: object = {}) => {
    const member = await start(`with-offers-${members.length}`, { offers, ...config } as Partial<MeshConfig>);
    member.role.role = "standby";
    return member;
  };

  test("answer where no agent can, with the vectors they have", async () => {
    const member = await withOffers([offer("spot", openAi())]);
    const response = await ask(member, "four");
    expect({ status: response.status, by: servedBy(response) }).toEqual({ status: 200, by: "offer:spot" });
    const { data } = (await response.json()) as { data: { embedding: number[] }[] };
    // Scaled to length 1, as all answers are.
    expect(data[0]?.embedding[0]).toBeCloseTo(4 / Math.hypot(4, 1), 6);
  });

  test.each([
    [
      "vectors of several lengths",
      (answer: Record<string, unknown>) => ({
        ...answer,
        data: [
          { index: 0, embedding: [1] },
          { index: 1, embedding: [1, 2] },
        ],
      }),
    ],
    ["too few vectors", (answer: Record<string, unknown>) => ({ ...answer, data: [] })],
    ["an error in a 200", () => ({ error: { message: "quota" } })],
    [
      "numbers that are none",
      (answer: Record<string, unknown>) => ({
        ...answer,
        data: [
          { index: 0, embedding: ["a"] },
          { index: 1, embedding: [null] },
        ],
      }),
    ],
    [
      "an order of its own",
      (answer: Record<string, unknown>) => ({
        ...answer,
        data: [
          { index: 7, embedding: [1] },
          { index: 7, embedding: [1] },
        ],
      }),
    ],
    ["null", () => null],
    [
      "vectors of another length than the model's",
      (answer: Record<string, unknown>) => ({
        ...answer,
        data: [
          { index: 0, embedding: [1, 0, 0] },
          { index: 1, embedding: [0, 1, 0] },
        ],
      }),
    ],
  ] as const)("are passed over for the next where they answer with %s", async (_, change) => {
    const member = await withOffers([
      offer("broken", openAi(change)),
      offer("sound", openAi(), { kind: "on-demand", usdPerRequest: 0.000_006 }),
    ]);
    const response = await fetch(`${member.serving.url}/v1/embeddings`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model, input: ["a", "bb"] }),
    });
    expect({ status: response.status, by: servedBy(response) }).toEqual({ status: 200, by: "offer:sound" });
  });

  test.each([
    [
      "redirects, to a place that would answer",
      () => upstream(() => Response.redirect(`${openAi()}/v1/embeddings`, 307)),
    ],
    [
      "never ends its answer",
      () => upstream(() => new Response(new ReadableStream({ pull: (to) => to.enqueue(new Uint8Array(65_536)) }))),
    ],
    ["does not know the key", () => upstream(() => Response.json({ error: { message: "who?" } }, { status: 401 }))],
    ["answers a page", () => upstream(() => new Response("<html>", { headers: { "content-type": "text/html" } }))],
  ] as const)("are passed over for the next where one %s", async (_, urlOf) => {
    const member = await withOffers([
      offer("broken", urlOf()),
      offer("sound", openAi(), { kind: "on-demand", usdPerRequest: 0.000_006 }),
    ]);
    const response = await ask(member, "x");
    expect({ status: response.status, by: servedBy(response) }).toEqual({ status: 200, by: "offer:sound" });
  });

  test("of another length than the fleet's vectors are refused by an entry that has no model, once a peer has answered", async () => {
    const short = upstream(() =>
      Response.json({ data: [{ index: 0, embedding: [1, 0, 0] }], usage: { total_tokens: 1 } }),
    );
    const member = await mesh.start("short-offer", { offers: [offer("short", short)] as never }, { model: "none" });
    member.peers = [asPeer(worker, { usdPerRequest: 0 })];
    expect(servedBy(await ask(member, "first by a peer"))).toBe("worker");
    member.peers = [];
    expect((await ask(member, "then by none")).status).toBe(503);
  });

  test("never for a tenant whose texts must stay, whatever fails", async () => {
    let asked = 0;
    const member = await withOffers(
      [
        offer(
          "far",
          upstream(() => {
            asked += 1;
            return Response.json({});
          }),
          { region: "us" },
        ),
      ],
      { residency: { default: ["eu"] } },
    );
    const response = await ask(member, "stay in eu");
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ error: { code: "no_backend_in_region" } });
    // A peer's own word is not the operator's.
    member.peers = [asPeer(worker, { region: "eu" })];
    expect((await ask(member, "stay in eu too")).status).toBe(503);
    expect(asked).toBe(0);
    // At home it may be answered: the agent stands in eu.
    member.role.role = "active";
    expect(servedBy(await ask(member, "at home"))).toBe("home");
  });

  test("a name that two have is refused at the start", () => {
    const twice = [offer("same", "http://127.0.0.1:1"), offer("same", "http://127.0.0.1:2")];
    expect(start("twins", { offers: twice } as unknown as Partial<MeshConfig>)).rejects.toThrow('got "same" twice');
  });
});

test.each(["http://169.254.169.254", "http://[fe80::1]:80", "http://10.1.2.3:80", "javascript:alert(1)", ""])(
  "a presence can't make an agent call %p where its peers are in 192.168.0.0/16",
  async (url) => {
    const subject = new Mesh({
      config: Value.Parse(MeshConfig, { peerNetworks: ["192.168.0.0/16"] }) as MeshConfig,
      ...{ agentId: "a", region: "", apiKeys: [], requestTimeoutMs: 1, maxInputs: 1, peers: () => [] },
      ...{ capacityQps: () => null, electricityUsd: () => null, metrics: new Registry() },
    });
    expect(subject.isPeerAddress(url)).toBe(false);
    expect(subject.isPeerAddress("http://192.168.7.7:8080")).toBe(true);
  },
);

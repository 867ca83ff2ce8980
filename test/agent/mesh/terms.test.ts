import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { peerPath } from "#agent/mesh/routing/peer-message.ts";
import type { ComputeGate } from "#agent/serving/ports.ts";
import { ask, asPeer, fakePeer, type Member, model, servedBy, spaceOf, TestMesh } from "./start-mesh.ts";

/** Lets batches through only while it is open. */
class Gate implements ComputeGate {
  isOpen = true;
  entered = 0;
  #waiting: (() => void)[] = [];

  async enter(_texts: number, signal?: AbortSignal): Promise<void> {
    this.entered += 1;
    if (this.isOpen) return;
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push(resolve);
      signal?.addEventListener("abort", () => reject(signal.reason));
    });
  }

  open(): void {
    this.isOpen = true;
    for (const go of this.#waiting.splice(0)) go();
  }
}

const mesh = new TestMesh();
const gate = new Gate();
let worker: Member;
let entry: Member;
beforeAll(async () => {
  [worker, entry] = await Promise.all([
    mesh.start("worker", {}, {}, { gate }),
    mesh.start(
      "entry",
      { targetMs: 600_000 },
      {
        apiKeys: ["plain-key", { key: "key-of-red", tenant: "red" }],
        tenants: { red: { weight: 1, latencyBudgetMs: 5_000 } },
      },
    ),
  ]);
  entry.role.role = "standby";
});
afterEach(() => {
  mesh.stopUpstreams();
  gate.open();
  entry.peers = [];
});
afterAll(() => mesh.stop());

const asRed = { authorization: "Bearer key-of-red" };
const plain = { authorization: "Bearer plain-key" };

describe("the time that a request has", () => {
  /** A peer that notes the time it is given, and passes the request to the worker. */
  const noting = (given: number[], tookMs?: string) =>
    mesh.upstream(async (request) => {
      const body = (await request.json()) as { budgetMs: number };
      given.push(body.budgetMs);
      const answer = await fetch(worker.serving.url + peerPath, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      if (tookMs !== undefined) answer.headers.set("x-thormesh-took-ms", tookMs);
      return answer;
    });

  test("goes with it less the hop's, by the client's header, else as configured for the tenant", async () => {
    const given: number[] = [];
    entry.peers = [fakePeer(worker, "noting", noting(given))];
    expect((await ask(entry, "own", { ...asRed, "x-latency-budget": "40000" })).status).toBe(200);
    expect((await ask(entry, "the tenant's", asRed)).status).toBe(200);
    expect((await ask(entry, "none", plain)).status).toBe(200);
    const [own = 0, tenants = 0, none = 0] = given;
    // Two milliseconds are a hop's until it was measured.
    expect(own).toBeLessThanOrEqual(39_998);
    expect(own).toBeGreaterThan(5_000);
    expect(tenants).toBeLessThan(5_000);
    expect(none).toBeGreaterThan(40_000);
  });

  test("is less by as much as the way took before", async () => {
    const given: number[] = [];
    // It claims to have answered at once: all of the time was the way's.
    entry.peers = [fakePeer(worker, "far", noting(given, "0"))];
    for (let index = 0; index < 3; index += 1)
      expect((await ask(entry, `far ${index}`, { ...plain, "x-latency-budget": "30000" })).status).toBe(200);
    expect(given).toHaveLength(3);
    for (const ms of given) expect(ms).toBeLessThanOrEqual(29_998);
  });

  test("over, it is dropped where it waits, and never computed", async () => {
    entry.peers = [asPeer(worker)];
    gate.isOpen = false;
    const before = worker.sink.work.length;
    const { entered } = gate;
    const first = ask(entry, "fills the lane", plain);
    while (gate.entered === entered) await Bun.sleep(1);
    const late = await ask(entry, "too late by then", { ...plain, "x-latency-budget": "150" });
    expect([429, 504]).toContain(late.status);
    gate.open();
    expect((await first).status).toBe(200);
    // Only the first.
    expect(worker.sink.work.length - before).toBe(1);
  });
});

describe("headers between agents that are not as agreed are refused by name, and nothing is computed", () => {
  const wrong = ["0", "-1", "NaN", "31536000000", "1e3", "", "soon"];
  const send = (path: string, header: string, value: string) =>
    fetch(worker.serving.url + path, {
      method: "POST",
      headers: { "content-type": "application/json", [header]: value },
      body: JSON.stringify(
        path === peerPath
          ? { model, space: spaceOf(worker), inputs: ["a"], inputsField: "input", tenant: "default", budgetMs: 60_000 }
          : { model, input: "a" },
      ),
    });
  test.each([
    ...wrong.map((value) => [peerPath, "x-thormesh-max-wait-ms", value] as const),
    ...["-1", "1.5", "many", "", "10"].map((value) => ["/v1/embeddings", "x-thormesh-hops", value] as const),
  ])("%s with %s: %p", async (path, header, value) => {
    const before = worker.sink.work.length + worker.sink.served.length;
    const answer = await send(path, header, value);
    const text = await answer.text();
    expect({ status: answer.status, text }).toEqual({ status: 400, text: expect.stringContaining(header) });
    expect(worker.sink.work.length + worker.sink.served.length).toBe(before);
  });

  test.each(["0", "-1", "NaN", "31536000000", null])("a budget of %p in a peer's request", async (budgetMs) => {
    const answer = await fetch(worker.serving.url + peerPath, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: `{"model":"${model}","space":"x","inputs":["a"],"inputsField":"input","tenant":"default","budgetMs":${budgetMs}}`,
    });
    expect({ status: answer.status, text: await answer.text() }).toEqual({
      status: 400,
      text: expect.stringContaining(budgetMs === "NaN" ? "JSON" : "budgetMs"),
    });
  });
});

describe("an offer that is an agent", () => {
  const offer = (name: string, url: string) =>
    ({
      name,
      kind: "spot",
      url,
      models: { [model]: model },
      usdPerRequest: 0.000_002,
      usdPerMillionTokens: 1,
    }) as never;

  test("tells its load to the agent that asks, and nobody else", async () => {
    const load = async (headers: Record<string, string>, path = "/v1/embeddings") =>
      (
        await fetch(
          worker.serving.url + path,
          path === "/livez"
            ? { headers }
            : {
                method: "POST",
                headers: { "content-type": "application/json", ...headers },
                body: JSON.stringify({ model, input: "load" }),
              },
        )
      ).headers.get("x-thormesh-load");
    expect(await load({ "x-thormesh-hops": "1" })).toMatch(/^q=0;c=\d+;cap=100\.0;w=\d/);
    expect(await load({})).toBeNull();
    expect(await load({ "x-thormesh-hops": "1" }, "/livez")).toBeNull();
    const refused = await fetch(`${entry.serving.url}/v1/embeddings`, {
      method: "POST",
      headers: { "x-thormesh-hops": "1" },
      body: "{}",
    });
    expect([refused.status, refused.headers.get("x-thormesh-load")]).toEqual([401, null]);
  });

  test("is given the time that is left, and what it costs is on record by its kind and the tokens it counted", async () => {
    const heads: Record<string, string | null>[] = [];
    const url = mesh.upstream(async (request) => {
      heads.push({ budget: request.headers.get("x-latency-budget"), hops: request.headers.get("x-thormesh-hops") });
      return fetch(`${worker.serving.url}/v1/embeddings`, {
        method: "POST",
        headers: request.headers,
        body: await request.arrayBuffer(),
      });
    });
    const member = await mesh.start("with-agent-offer", { offers: [offer("agent", url)] }, { model: "none" });
    const answer = await ask(member, "by an offer", { "x-latency-budget": "30000" });
    expect({ status: answer.status, by: servedBy(answer) }).toEqual({ status: 200, by: "offer:agent" });
    expect(heads).toHaveLength(1);
    expect(heads[0]?.["hops"]).toBe("1");
    expect(Number(heads[0]?.["budget"])).toBeLessThanOrEqual(29_998);
    expect(Number(heads[0]?.["budget"])).toBeGreaterThan(0);
    const { tokens } = member.sink.served.at(-1) ?? { tokens: 0 };
    expect(tokens).toBeGreaterThan(2);
    expect(member.sink.served.at(-1)).toMatchObject({
      sentTexts: 1,
      route: { kind: "spot", usd: expect.closeTo(0.000_002 + tokens / 1e6, 12) },
    });
  });

  test("that would pass it to another offer does not: two fleets that overflow into each other end", async () => {
    const asked: Record<string, number> = { one: 0, other: 0 };
    const urls: Record<string, string> = {};
    const through = (name: string) =>
      mesh.upstream(async (request) => {
        asked[name] = (asked[name] ?? 0) + 1;
        return fetch(`${urls[name]}/v1/embeddings`, {
          method: "POST",
          headers: request.headers,
          body: await request.arrayBuffer(),
        });
      });
    const [toOne, toOther] = [through("one"), through("other")];
    const one = await mesh.start("one", { offers: [offer("other", toOther)] }, { model: "none" });
    const other = await mesh.start("other", { offers: [offer("one", toOne)] }, { model: "none" });
    urls["one"] = one.serving.url;
    urls["other"] = other.serving.url;
    const answer = await ask(one, "round and round");
    expect(answer.status).toBeGreaterThanOrEqual(500);
    expect(asked).toEqual({ one: 0, other: 1 });
    // Its own fleet's agents may answer it anyway.
    other.peers = [asPeer(worker)];
    expect(servedBy(await ask(one, "by a peer over there"))).toBe("offer:other");
  });
});

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { WebhookConfig } from "#controller/scaling/actuators/capacity-config.ts";
import { createWebhookCapacity, signWebhook } from "#controller/scaling/actuators/webhook-capacity.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { type MetricServer, startMetricServer } from "../../../fakes/metric-server.ts";
import { testsOfProviders } from "./provider-contract.ts";

let server: MetricServer;
beforeEach(() => {
  server = startMetricServer();
});
afterEach(() => server.stop());

const create = (given: object = {}, environment: Record<string, string> = { HOOK: "s3cret" }) =>
  createWebhookCapacity({
    config: parseConfig(
      WebhookConfig,
      { url: `${server.url}/machines`, secretEnv: "HOOK", agents: ["a"], ...given },
      "test",
    ),
    fleetName: "f",
    environment,
    firstPauseMs: 1,
  });
const act = { id: "a-7-on-1", agentId: "a", want: "on", reason: "it is to serve" } as const;

describe("as every provider", () => {
  testsOfProviders(async () => {
    // The other side keeps what it has done by the key, as it is told to.
    const done = new Map<string, string>();
    server.respond = async (request) => {
      done.set(request.headers.get("idempotency-key")!, ((await request.json()) as { want: string }).want);
      return new Response(null, { status: 202 });
    };
    return { provider: create(), switched: async () => [...done.values()] };
  });
});

describe("a request", () => {
  test("is signed over its time and body, and has its key", async () => {
    server.respond = () => new Response();
    await create().request(act);
    const [request] = server.requests;
    expect(JSON.parse(request!.body)).toEqual({ ...act, fleet: "f" });
    expect(request!.headers.get("idempotency-key")).toBe("a-7-on-1");
    const [, seconds, digest] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(request!.headers.get("x-thormesh-signature")!)!;
    expect(digest).toBe(createHmac("sha256", "s3cret").update(`${seconds}.${request!.body}`).digest("hex"));
    expect(Math.abs(Number(seconds) - Date.now() / 1000)).toBeLessThan(60);
  });

  test("the signature is what others work out for the same figures", () => {
    expect(signWebhook('{"a":1}', "key", 1_700_000_000_999)).toBe(
      `t=1700000000,v1=${createHmac("sha256", "key").update('1700000000.{"a":1}').digest("hex")}`,
    );
  });

  test.each([500, 503, 429, 408])("is repeated unchanged after %p, until it is taken", async (status) => {
    server.respond = () => new Response("", { status: server.requests.length < 3 ? status : 200 });
    await create().request(act);
    expect(server.requests.map(({ body }) => body)).toEqual(new Array(3).fill(server.requests[0]!.body));
    expect(new Set(server.requests.map(({ headers }) => headers.get("idempotency-key"))).size).toBe(1);
  });

  test.each([400, 401, 404, 409])("is not repeated after %p: it was understood", async (status) => {
    server.respond = () => new Response("", { status });
    expect(create().request(act)).rejects.toThrow(`did not accept it: it answered ${status}`);
    await create()
      .request(act)
      .catch(() => undefined);
    expect(server.requests.length).toBe(2);
  });

  test("fails after its attempts", async () => {
    server.respond = () => new Response("", { status: 503 });
    await expect(create({ attempts: 4 }).request(act)).rejects.toThrow("it answered 503");
    expect(server.requests.length).toBe(4);
  });

  test("fails where nobody is, or nobody answers in time", async () => {
    const silent = Promise.withResolvers<Response>();
    server.respond = () => silent.promise;
    await expect(create({ attempts: 1, timeoutMs: 100 }).request(act)).rejects.toThrow("did not accept it");
    silent.resolve(new Response());
    const gone = startMetricServer();
    await gone.stop();
    await expect(create({ url: gone.url, attempts: 2 }).request(act)).rejects.toThrow("did not accept it");
  });

  test("is not sent without a secret to sign with, nor to where a redirect points", async () => {
    await expect(create({}, {}).request(act)).rejects.toThrow("the environment has no HOOK");
    expect(server.requests.length).toBe(0);
    server.respond = () => Response.redirect("http://127.0.0.1:1/elsewhere", 302);
    await expect(create({ attempts: 1 }).request(act)).rejects.toThrow("did not accept it");
  });

  test("waiting to repeat ends with the provider", async () => {
    server.respond = () => new Response("", { status: 503, headers: { "retry-after": "20" } });
    const provider = create();
    const asking = provider.request(act).catch((error: Error) => error.message);
    while (server.requests.length === 0) await Bun.sleep(1);
    await Bun.sleep(5);
    await provider.stop();
    expect(await asking).toContain("did not accept it");
  });
});

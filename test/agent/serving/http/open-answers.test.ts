import { afterAll, beforeAll, expect, test } from "bun:test";
import { type GrpcClient, startGrpcClient } from "../grpc/start-client.ts";
import { type Answer, type TestServing, testServing } from "../start-serving.ts";

const place = "/srv/state/of/somebody";
const withKey = { authorization: "Bearer first-key" };
const withoutKey: readonly (readonly [string, Record<string, string>])[] = [
  ["no key", {}],
  ["a wrong key", { authorization: "Bearer another-key" }],
];

let agent: TestServing;
let client: GrpcClient;
/** Every answer that is given without a key, over both protocols, by name. */
let routes: Record<string, (headers: Record<string, string>) => Promise<Answer>>;
beforeAll(async () => {
  agent = testServing(
    { apiKeys: ["first-key"], grpc: { enabled: true, host: null, port: null } },
    { extraChecks: () => ({ storage: { status: "degraded", detail: `${place} is full` } }) },
  );
  await agent.serving.start();
  client = startGrpcClient(agent.serving.grpcAddress as string);
  const get = (path: string) => async (headers: Record<string, string>) =>
    (await (await fetch(agent.serving.url + path, { headers })).json()) as Answer;
  const call = (method: string) => (metadata: Record<string, string>) => client.answer(method, {}, { metadata });
  routes = {
    "GET /health": get("/health"),
    "GET /livez": get("/livez"),
    "GET /readyz": get("/readyz"),
    "gRPC Health": call("Health"),
    "gRPC Check": call("grpc.health.v1.Health/Check"),
  };
});
afterAll(async () => {
  await client.stop();
  await agent.serving.stop();
});

test.each(withoutKey)("with %s no name, path or address is told, over either protocol", async (_, headers) => {
  for (const [route, ask] of Object.entries(routes)) {
    const text = JSON.stringify(await ask(headers));
    for (const secret of [place, "MiniLM", "ONNX", "127.0.0.1", "models loaded"]) {
      expect(`${route}: ${text}`).not.toContain(secret);
    }
  }
});

test("with the key both protocols tell the details", async () => {
  const [http, grpc] = [await routes["GET /health"]?.(withKey), await routes["gRPC Health"]?.(withKey)];
  expect(http?.["checks"].storage).toBe("degraded");
  expect(http?.["details"].storage).toBe(`${place} is full`);
  const { status, ...rest } = http as Answer;
  expect(grpc).toEqual({ status: "HEALTHY", state: status, ...rest });
});

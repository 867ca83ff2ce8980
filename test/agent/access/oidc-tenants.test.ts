import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { QuotaUse } from "#agent/access/quota-use.ts";
import { parseAgentConfig } from "#agent/check-config.ts";
import type { TenantAccess } from "#protocol/messages.ts";
import { startProvider } from "../../fakes/start-oidc-provider.ts";
import { callOnce } from "../serving/grpc/start-grpc.ts";
import { type TestServing, testServing } from "../serving/start-serving.ts";

setDefaultTimeout(60_000);

// A real provider, whose tokens open the routes of tenants at an agent.
const told = new Map<string, TenantAccess>();
let provider: Awaited<ReturnType<typeof startProvider>>;
let agent: TestServing;
beforeAll(async () => {
  provider = await startProvider();
  told.set("red", { tenant: "red", suspended: false, models: null, regions: null });
  const oidc = {
    issuer: provider.issuer,
    audience: "thormesh",
    tenantClaim: "groups",
    tenants: { red: ["team-7"], blue: ["team-8"] },
  };
  const access = {
    ...{ required: false, identify: () => null, tenant: (name: string) => told.get(name) },
    quotaUse: new QuotaUse({ load: () => null, save() {} }),
  };
  agent = testServing({ model: "none", oidc, grpc: { enabled: true, port: 0 } }, { access });
  await agent.serving.start();
});
afterAll(async () => {
  await agent.serving.stop();
  provider.server.close();
  provider.server.closeAllConnections();
});

const http = async (token: string | null, path = "/v1/models") => {
  const answer = await fetch(
    agent.serving.url + path,
    token === null ? {} : { headers: { authorization: `Bearer ${token}` } },
  );
  return answer.status;
};
const grpc = async (token: string, method = "Embed") =>
  (
    await callOnce(agent.serving.grpcAddress as string, `/akidb.embedding.v1.EmbeddingService/${method}`, {
      authorization: `Bearer ${token}`,
    })
  ).status;

test("a token opens what tenants use, over HTTP and gRPC; nothing else, and nobody comes in without one", async () => {
  const token = await provider.tokenFor(["team-7"]);
  expect([await http(token), await http(token, "/metrics"), await http(null)]).toEqual([200, 403, 401]);
  // An empty message is at fault by itself: the call was let in.
  expect(await grpc(token)).toBe(3);
  expect(await http(await provider.tokenFor(["team-9"]))).toBe(403);
  expect(await grpc(await provider.tokenFor(["team-9"]))).toBe(7);
  // Its tenant is configured, and the controller has not told of it.
  expect(await http(await provider.tokenFor(["team-8"]))).toBe(403);
  const [head, payload] = token.split(".");
  expect([await http(`${head}.${payload}.AAAA`), await grpc(`${head}.${payload}.AAAB`)]).toEqual([401, 16]);
});

test("a tenant that is suspended or deleted is refused at once, although its token is known; and when the provider is away", async () => {
  const token = await provider.tokenFor(["team-7"]);
  expect(await http(token)).toBe(200);
  provider.server.close();
  provider.server.closeAllConnections();
  const red = told.get("red") as TenantAccess;
  told.set("red", { ...red, suspended: true });
  expect([await http(token), await grpc(token)]).toEqual([403, 7]);
  told.delete("red");
  expect(await http(token)).toBe(403);
  told.set("red", red);
  expect(await http(token)).toBe(200);
});

test.each([
  [
    { issuer: "http://id.example", audience: "a" },
    'serving.oidc.issuer: expected an https address, got "http://id.example"',
  ],
  [
    { issuer: "https://id.example" },
    "serving.oidc.audience: expected the name of this API in tokens with issuer, got null",
  ],
  [{ issuer: "https://id.example", audience: "a" }, "(serving.oidc without serving.apiKeys)"],
])("configuration %j is refused", (oidc, why) => {
  expect(() => parseAgentConfig({ serving: { oidc } }, "the test")).toThrow(why);
});

import { describe, expect, test } from "bun:test";
import { refusingUnread } from "#agent/serving/tenants/refuse-unread.ts";
import { ServiceError } from "#platform/errors.ts";
import { createAuthenticator } from "#platform/http/guard/authenticate.ts";
import type { RequestGuard } from "#platform/http/guard/guard-request.ts";
import { noteCaller } from "#platform/http/guard/request-caller.ts";
import { createLogger } from "#platform/log.ts";
import { callOnce, key, keyHeader, startGrpc } from "../grpc/start-grpc.ts";

const limited = new ServiceError("RATE_LIMITED", "tenant red may send 60 requests per minute", { retryAfterS: 7 });
const refusal = (tenant: string) => (tenant === "red" ? limited : null);

describe("over HTTP", () => {
  const pass: RequestGuard = (request) => ({ kind: "pass", request });
  /** A request of a tenant with a body that must not be looked at. */
  function ask(
    tenant: string | null,
    { method = "POST", guard = pass, peer }: { method?: string; guard?: RequestGuard; peer?: string } = {},
  ) {
    const headers = { "content-length": "4000" };
    const request = new Request("http://localhost/v1/embeddings", { method, headers });
    noteCaller(request, { tenant, ...(peer === undefined ? {} : { peer }) });
    const recorded: object[] = [];
    const refused = {
      async refuseUnread(
        { signal: _, ...unread }: { tenant: string; bytes: number; signal: AbortSignal },
        error: ServiceError,
      ) {
        recorded.push(unread);
        return error;
      },
    };
    const decision = refusingUnread(guard, { limits: { refusal }, refused })(request, () => null);
    return { request, decision, recorded };
  }

  test("a tenant beyond its limits is refused by its key alone, which is recorded", async () => {
    const { request, decision, recorded } = ask("red");
    expect(await decision).toEqual({ kind: "refuse", error: limited, headers: {} });
    expect(recorded).toEqual([{ tenant: "red", bytes: 4_000 }]);
    expect(request.bodyUsed).toBe(false);
    expect(await ask("red", { guard: async (request) => pass(request, () => null) }).decision).toMatchObject({
      kind: "refuse",
    });
  });

  test.each([
    { name: "another tenant's request", tenant: "blue" },
    { name: "a request without a tenant", tenant: null },
    { name: "a question that computes nothing", tenant: "red", method: "GET" },
  ])("$name goes on, without a turn of the event loop", ({ tenant, ...options }) => {
    const { request, decision, recorded } = ask(tenant, options);
    expect(decision).toEqual({ kind: "pass", request });
    expect(recorded).toEqual([]);
  });

  test("what the guard refuses stays refused so", async () => {
    const forbidden = { kind: "refuse", error: new ServiceError("FORBIDDEN", "no"), headers: {} } as const;
    expect(ask("red", { guard: () => forbidden }).decision).toBe(forbidden);
  });
});

test("over gRPC a tenant beyond its limits is refused before any of its message has come; other methods are open", async () => {
  const asked: object[] = [];
  const apiKeys = [{ key, tenant: "red" }];
  const server = await startGrpc({
    apiKeys,
    authenticator: createAuthenticator({ apiKeys, log: createLogger("test", "silent") }),
    refusalOf(tenant, bytes) {
      asked.push({ tenant, bytes });
      return refusal(tenant);
    },
  });
  try {
    const headers = Object.fromEntries([keyHeader]);
    const path = (name: string) =>
      server.methods.map((method) => method.path).find((each) => each.endsWith(`/${name}`)) as string;
    // Its message never ends.
    const ending = await callOnce(server.address, path("Embed"), headers, Buffer.alloc(2), { open: true });
    expect(ending).toMatchObject({ status: 8, message: limited.message });
    expect(asked).toEqual([{ tenant: "red", bytes: 0 }]);
    expect((await callOnce(server.address, path("Health"), headers)).status).toBe(0);
    expect(asked).toHaveLength(1);
  } finally {
    await server.stop(0);
  }
});

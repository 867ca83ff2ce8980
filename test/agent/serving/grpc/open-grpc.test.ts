import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createServer, type Server } from "node:net";
import { openGrpc } from "#agent/serving/grpc/open-grpc.ts";
import { ServingConfig } from "#agent/serving/serving-config.ts";
import { UsageError } from "#platform/errors.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { createAuthenticator } from "#platform/http/guard/authenticate.ts";
import { createLogger } from "#platform/log.ts";

const open = (config: object) =>
  openGrpc(parseConfig(ServingConfig, config, "the test"), {
    authenticator: createAuthenticator({ apiKeys: [], log: createLogger("test", "silent") }),
    log: createLogger("test", "silent"),
    embedder: {
      embed: () => Promise.reject(new Error("not asked")),
      tokenize: () => Promise.reject(new Error("not asked")),
      inFlight: () => 0,
      queueDepth: () => 0,
    },
    view: { health: () => ({ status: "healthy", checks: {}, details: {}, version: "1" }), models: async () => [] },
    ready: () => true,
    tracing: undefined,
  });

describe("where something else has port 9090", () => {
  let holder: Server;
  beforeAll(async () => {
    holder = createServer();
    // Where it is taken already, it is taken anyway.
    await new Promise<void>((resolve) => holder.on("error", () => resolve()).listen(9090, "127.0.0.1", resolve));
  });
  afterAll(() => {
    holder.close();
  });

  test("an agent that was not told a port serves without gRPC, and /health names the setting", async () => {
    const api = await open({ port: 8080 });
    expect(api.address).toBeNull();
    expect(api.checks()["grpc"]).toEqual({ status: "degraded", detail: expect.stringContaining("serving.grpc.port") });
    await api.stop(0);
  });

  test("an agent that was told it does not start", async () => {
    await expect(open({ port: 8080, grpc: { port: 9090 } })).rejects.toBeInstanceOf(UsageError);
  });

  test.each([
    { name: "any free port was asked for", config: { port: 8080, grpc: { port: 0 } } },
    { name: "HTTP takes any free port", config: { port: 0 } },
  ])("$name: it takes another", async ({ config }) => {
    const api = await open(config);
    expect(api.address).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(api.address).not.toBe("127.0.0.1:9090");
    expect(api.checks()["grpc"]?.status).toBe("healthy");
    await api.stop(0);
  });
});

test("an address that this machine does not have is a usage error", async () => {
  const attempt = open({ grpc: { host: "203.0.113.1", port: 0 }, insecure: true });
  await expect(attempt).rejects.toBeInstanceOf(UsageError);
  await expect(attempt).rejects.toThrow("203.0.113.1");
});

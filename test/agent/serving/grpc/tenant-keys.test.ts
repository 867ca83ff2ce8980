import { afterEach, expect, test } from "bun:test";
import { embeddingServiceName } from "#agent/serving/grpc/embedding-service.ts";
import type { GrpcServer } from "#agent/serving/grpc/grpc-server.ts";
import { ServiceError } from "#platform/errors.ts";
import { createAuthenticator, type IssuedKeys } from "#platform/http/guard/authenticate.ts";
import { createLogger } from "#platform/log.ts";
import { grpcMessage } from "../../../fakes/grpc/raw-connection.ts";
import { callOnce, sameVectors, startGrpc } from "./start-grpc.ts";

const log = createLogger("test", "silent");
const answers: Record<string, ReturnType<IssuedKeys["identify"]>> = {
  red: { tenant: "red", role: "embed" },
  late: new ServiceError("UNAUTHORIZED", "key late expired"),
  blue: new ServiceError("TENANT_SUSPENDED", "tenant blue is suspended"),
};
let server: GrpcServer | undefined;
afterEach(() => server?.stop(0));

/** Starts a server that knows the keys of tenants, and returns what a call with a key comes to. */
async function start(required: boolean) {
  const tenants: (string | undefined)[] = [];
  const issued: IssuedKeys = { required, identify: (key) => answers[key] ?? null };
  const embedder = sameVectors(2);
  server = await startGrpc({
    apiKeys: [],
    authenticator: createAuthenticator({ apiKeys: [], issued, log }),
    embedder: {
      ...embedder,
      embed(request) {
        tenants.push(request.tenant);
        return embedder.embed(request);
      },
    },
  });
  const { address } = server;
  return async (key: string | null, method = `${embeddingServiceName}/Embed`) => {
    const headers = key === null ? {} : { authorization: `Bearer ${key}` };
    const { status } = await callOnce(address, `/${method}`, headers, grpcMessage(Buffer.from("\x12\x01a")));
    return [status, tenants.splice(0)];
  };
}

test.each([
  [true, "red", [0, ["red"]]],
  [true, "late", [16, []]],
  [true, "blue", [7, []]],
  [true, "unknown", [16, []]],
  [true, null, [16, []]],
  [false, "red", [0, ["red"]]],
  [false, "late", [16, []]],
  [false, "blue", [7, []]],
  [false, "unknown", [0, ["default"]]],
  [false, null, [0, ["default"]]],
])("with keys needed: %p, a call with key %p comes to %j", async (required, key, expected) => {
  const call = await start(required);
  expect(await call(key)).toEqual(expected as never);
});

test("a key that is of no use closes no open method", async () => {
  const call = await start(true);
  expect((await call("blue", "grpc.health.v1.Health/Check"))[0]).toBe(0);
});

test("a tenant sees its health without details, a key of the agent's own with them", async () => {
  const seen: boolean[] = [];
  const issued: IssuedKeys = { required: true, identify: (key) => answers[key] ?? null };
  const rights = { role: "admin", name: "a configured key" } as const;
  server = await startGrpc({
    apiKeys: [],
    authenticator: createAuthenticator({ apiKeys: ["a-key-of-the-operator"], rights, issued, log }),
    view: {
      health(detailed) {
        seen.push(detailed);
        return { status: "healthy", checks: {}, details: {}, version: "1" };
      },
      models: async () => [],
    },
  });
  for (const key of [null, "red", "unknown", "a-key-of-the-operator"]) {
    const headers = key === null ? {} : { authorization: `Bearer ${key}` };
    await callOnce(server.address, `/${embeddingServiceName}/Health`, headers, grpcMessage(Buffer.alloc(0)));
  }
  expect(seen).toEqual([false, false, false, true]);
});

import { afterEach, expect, test } from "bun:test";
import { Server, ServerCredentials, type ServiceError, type sendUnaryData, status } from "@grpc/grpc-js";
import { loadProtos } from "#agent/serving/grpc/protos.ts";
import { serviceDefinition } from "#agent/serving/grpc/service-definition.ts";
import { createGrpcServerUnderLoad } from "#tools/load/grpc-server-under-load.ts";
import type { LoadServer } from "#tools/load/load-server.ts";

const protos = loadProtos();
const requests: unknown[] = [];
let server: Server | undefined;
let client: LoadServer | undefined;

/** A server that answers every Embed with the same. */
async function listen(answer: Error | object | "never"): Promise<string> {
  requests.length = 0;
  server = new Server();
  server.addService(serviceDefinition(protos.service("akidb.embedding.v1.EmbeddingService")), {
    Embed(call: { request: Buffer; metadata: { get(name: string): unknown[] } }, callback: sendUnaryData<object>) {
      const request = protos.type("akidb.embedding.v1.EmbedRequest").decode(call.request).toJSON();
      requests.push({ ...request, key: call.metadata.get("authorization")[0] });
      if (answer === "never") return;
      if (answer instanceof Error) callback(answer as ServiceError);
      else callback(null, answer);
    },
    Health() {},
    ListModels() {},
  });
  const bound = server;
  const port = await new Promise<number>((resolve, reject) => {
    bound.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, at) =>
      error ? reject(error) : resolve(at),
    );
  });
  return `http://127.0.0.1:${port}`;
}
const underLoad = (url: string, timeoutMs = 10_000) => {
  client = createGrpcServerUnderLoad({ url, model: "m", apiKey: "k1", timeoutMs });
  return client;
};
afterEach(() => {
  client?.close();
  server?.forceShutdown();
});

const vector = { values: [0.5, 0.25] };
test.each([
  ["a vector a text", { embeddings: [vector, vector] }, { kind: "ok" }],
  ["a vector too few", { embeddings: [vector] }, { kind: "failed", cause: "an answer without a vector for each text" }],
  ["an empty one", { embeddings: [vector, {}] }, { kind: "failed", cause: "an answer without a vector for each text" }],
  ["no message", Buffer.from([0xff]), { kind: "failed", cause: "an answer that is not an EmbedResponse" }],
  [
    "full",
    Object.assign(new Error("full"), { code: status.RESOURCE_EXHAUSTED }),
    { kind: "failed", cause: "gRPC RESOURCE_EXHAUSTED" },
  ],
  [
    "stopping",
    Object.assign(new Error("bye"), { code: status.UNAVAILABLE }),
    { kind: "failed", cause: "gRPC UNAVAILABLE" },
  ],
] as const)("%s", async (_, answer, result) => {
  expect(await underLoad(await listen(answer)).send(["a", "b"])).toEqual(result);
  expect(requests).toEqual([{ model: "m", inputs: ["a", "b"], key: "Bearer k1" }]);
});

test("no answer in time, and nobody there", async () => {
  const url = await listen("never");
  expect(await underLoad(url, 300).send(["a"])).toEqual({ kind: "failed", cause: "gRPC DEADLINE_EXCEEDED" });
  server?.forceShutdown();
  client?.close();
  expect(await underLoad(url).send(["a"])).toEqual({ kind: "refused", cause: "ECONNREFUSED" });
});

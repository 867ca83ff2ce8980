import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import protobuf from "protobufjs";
import { loadProtos } from "#agent/serving/grpc/protos.ts";
import { type Answer, type TestServing, testServing } from "../start-serving.ts";
import { type GrpcClient, startGrpcClient } from "./start-client.ts";

const contract = join(import.meta.dir, "../../../fixtures/grpc/published-contract.proto");
const published = protobuf.parse(await Bun.file(contract).text(), { keepCase: true }).root.resolveAll();
const ours = loadProtos();

const fieldsOf = (type: protobuf.Type) =>
  type.fieldsArray.map(({ id, name, type: of, repeated, map }) => ({ id, name, of, repeated, map }));

describe("every fact of the published contract holds", () => {
  const objects = (published.lookup("akidb.embedding.v1") as protobuf.Namespace).nestedArray;
  const types = objects.filter((object) => object instanceof protobuf.Type);

  test.each(types.map((type) => [type.name, type] as const))("fields of %s", (name, type) => {
    const known = fieldsOf(ours.type(`akidb.embedding.v1.${name}`));
    for (const field of fieldsOf(type)) expect(known).toContainEqual(field);
    for (const nested of type.nestedArray) {
      const { values } = ours.type(`akidb.embedding.v1.${name}`).lookupEnum(nested.name);
      expect(values).toEqual((nested as protobuf.Enum).values);
    }
  });

  test("methods", () => {
    const signatures = (service: protobuf.Service) =>
      service.methodsArray.map(({ name, requestType, responseType }) => ({ name, requestType, responseType }));
    const name = "akidb.embedding.v1.EmbeddingService";
    expect(signatures(ours.service(name))).toEqual(signatures(published.lookupService(name)));
  });
});

describe("a client that was built from the published contract", () => {
  let server: TestServing;
  let client: GrpcClient;
  beforeAll(async () => {
    server = testServing({ grpc: { enabled: true, host: null, port: null } });
    await server.serving.start();
    client = startGrpcClient(server.serving.grpcAddress as string, contract);
  });
  afterAll(async () => {
    await client.stop();
    await server.serving.stop();
  });

  test("Embed: every field has its value", async () => {
    const inputs = ["one robot", "two robots"];
    const answer = await client.answer("Embed", { model: "all-MiniLM-L6-v2", inputs, normalize: true });
    const { body } = await server.post("/api/v1/embed", { inputs });
    expect(answer).toEqual({
      embeddings: body["embeddings"].map((vector: number[]) => ({ values: vector.map(Math.fround) })),
      model: "all-MiniLM-L6-v2",
      usage: { total_tokens: 8, duration_ms: expect.any(Number) },
    });
    expect(answer["usage"].duration_ms).toBeGreaterThanOrEqual(1);
    // From the cache, in less than a millisecond.
    const again = await client.answer("Embed", { inputs });
    expect(again["usage"].duration_ms).toBeGreaterThanOrEqual(1);
    expect((await client.failure("Embed", { inputs: [""] })).code).toBe(3);
  });

  test("Health: every field has its value", async () => {
    const health = (await (await fetch(`${server.serving.url}/health`)).json()) as Answer;
    const { status, checks, version } = await client.answer("Health", {});
    expect({ status, version }).toEqual({ status: "HEALTHY", version: "1.2.3" });
    expect(checks).toEqual(health["checks"]);
    expect(checks).toMatchObject({ embedding_provider: "healthy", model_cache: "healthy", gpu: "unused" });
  });

  test("ListModels: every field has its value", async () => {
    await client.answer("Embed", { inputs: ["for the figures"] });
    const [model] = (await client.answer("ListModels", {}))["models"];
    const [entry] = ((await (await fetch(`${server.serving.url}/models`)).json()) as Answer)["models"];
    const { memory_mb, latency_p95_ms, throughput_qps, ...fixed } = model;
    const { id, name, dimension, params, status } = entry;
    expect(fixed).toEqual({ id, name, dimension, params, status });
    expect(memory_mb).toBeGreaterThan(50);
    expect(latency_p95_ms).toBeGreaterThanOrEqual(1);
    expect(throughput_qps).toBeGreaterThanOrEqual(1);
  });
});

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import protobuf from "protobufjs";
import { describeProtoFiles } from "#agent/serving/grpc/describe-proto-files.ts";
import { loadProtos } from "#agent/serving/grpc/protos.ts";
import { type Answer, type TestServing, testServing } from "../start-serving.ts";
import { embeddingService, type GrpcClient, startGrpcClient } from "./start-client.ts";

// Processes are started, on a machine that may have much else to do.
setDefaultTimeout(60_000);

const { root: descriptors } = protobuf.parse(
  await Bun.file(join(import.meta.dir, "../../../../agent/serving/grpc/descriptor.proto")).text(),
  { keepCase: true },
);
const fileType = descriptors.lookupType("google.protobuf.FileDescriptorProto");
const readFile = (bytes: Uint8Array) => fileType.decode(bytes).toJSON() as Answer;

describe("descriptions of the .proto files", () => {
  const ours = describeProtoFiles(loadProtos().files);

  test("are what protoc makes of them", async () => {
    const { root } = protobuf.parse('syntax = "proto2"; message Set { repeated bytes file = 1; }');
    const path = join(import.meta.dir, "../../../fixtures/grpc/descriptors.binpb");
    const set = root.lookupType("Set").decode(await Bun.file(path).bytes()) as unknown as { file: Uint8Array[] };
    const theirs = Object.fromEntries(set.file.map(readFile).map((file) => [file["name"], file]));
    expect(Object.keys(theirs).length).toBe(4);
    expect(Object.fromEntries([...ours].map(([name, bytes]) => [name, readFile(bytes)]))).toEqual(theirs);
  });

  test("tell optional fields from others", () => {
    const { message_type } = readFile(ours.get("akidb/embedding/v1/embedding.proto") as Buffer) as Answer;
    const request = message_type.find(({ name }: Answer) => name === "EmbedRequest");
    const optional = request.field
      .filter((field: Answer) => field["proto3_optional"])
      .map((field: Answer) => field["name"]);
    expect(optional).toEqual(["model", "normalize", "dimensions", "truncate", "prompt_name"]);
  });
});

describe("reflection", () => {
  let server: TestServing;
  let client: GrpcClient;
  beforeAll(async () => {
    server = testServing({ grpc: { enabled: true, host: null, port: 0 } });
    await server.serving.start();
    client = startGrpcClient(server.serving.grpcAddress as string);
  }, 60_000);
  afterAll(async () => {
    await client.stop();
    await server.serving.stop();
  });

  const ask = (version: string, question: Answer) =>
    client.answer(`grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`, [question]);
  const services = [
    embeddingService,
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
  ];

  test("a client that knows nothing learns the service and calls it", async () => {
    expect(await client.learn(embeddingService)).toEqual(["Embed", "Health", "ListModels"]);
    const answer = await client.answer("Embed", { inputs: ["learned"], dimensions: 5 });
    expect(answer["embeddings"][0].values.length).toBe(5);
    expect((await client.answer("Health", {}))["status"]).toBe("healthy");
  });

  test.each(["v1", "v1alpha"])("%s lists the services", async (version) => {
    if (version === "v1alpha") await client.learn("grpc.reflection.v1alpha.ServerReflection");
    const answer = await ask(version, { host: "h", list_services: "" });
    expect(answer["valid_host"]).toBe("h");
    expect(answer["original_request"].message_request).toBe("list_services");
    expect(answer["list_services_response"].service.map(({ name }: Answer) => name)).toEqual(services);
  });

  test.each([
    {
      name: "a file",
      question: { file_by_filename: "grpc/health/v1/health.proto" },
      file: "grpc/health/v1/health.proto",
    },
    { name: "a service", question: { file_containing_symbol: embeddingService } },
    { name: "a method", question: { file_containing_symbol: `${embeddingService}.ListModels` } },
    { name: "a message", question: { file_containing_symbol: "akidb.embedding.v1.Usage" } },
    { name: "a field", question: { file_containing_symbol: "akidb.embedding.v1.Usage.total_tokens" } },
    { name: "a name with a leading dot", question: { file_containing_symbol: ".akidb.embedding.v1.Usage" } },
    {
      name: "an enum inside a message",
      question: { file_containing_symbol: "grpc.health.v1.HealthCheckResponse.ServingStatus" },
      file: "grpc/health/v1/health.proto",
    },
    {
      name: "an enum's value",
      question: { file_containing_symbol: "grpc.health.v1.HealthCheckResponse.SERVING" },
      file: "grpc/health/v1/health.proto",
    },
  ])("finds $name", async ({ question, file = "akidb/embedding/v1/embedding.proto" }) => {
    const { file_descriptor_response } = await ask("v1", question);
    const [encoded] = file_descriptor_response.file_descriptor_proto;
    expect(readFile(Buffer.from(encoded.data))["name"]).toBe(file);
  });

  test.each([
    { name: "a file that is not there", question: { file_by_filename: "none.proto" }, code: 5 },
    { name: "a symbol that is not there", question: { file_containing_symbol: "akidb.None" }, code: 5 },
    { name: "a package", question: { file_containing_symbol: "akidb.embedding" }, code: 5 },
    {
      name: "an extension",
      question: { file_containing_extension: { containing_type: "akidb.embedding.v1.Usage", extension_number: 1 } },
      code: 5,
    },
    { name: "extension numbers", question: { all_extension_numbers_of_type: "akidb.embedding.v1.Usage" }, code: 5 },
    { name: "nothing", question: {}, code: 12 },
  ])("says that it has none of $name", async ({ question, code }) => {
    const { error_response } = await ask("v1", question);
    expect(error_response.error_code).toBe(code);
    expect(error_response.error_message).not.toBe("");
  });
});

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { basename, join } from "node:path";
import protobuf from "protobufjs";
import fileDescriptors from "#agent/serving/grpc/file-descriptors.json";
import { loadProtos } from "#agent/serving/grpc/protos.ts";
import { type Answer, type TestServing, testServing } from "../start-serving.ts";
import { embeddingService, type GrpcClient, startGrpcClient } from "./start-client.ts";

const fixtures = join(import.meta.dir, "../../../fixtures/grpc");
const { root: descriptors } = protobuf.parse(await Bun.file(join(fixtures, "descriptor.proto")).text(), {
  keepCase: true,
});
const fileType = descriptors.lookupType("google.protobuf.FileDescriptorProto");
const readFile = (bytes: Uint8Array) => fileType.decode(bytes).toJSON() as Answer;

describe("protoc's descriptors", () => {
  const sourceOf = (name: string) =>
    Bun.file(join(import.meta.dir, "../../../../agent/serving/grpc", basename(name))).text();

  test("are of the .proto files as they are now", async () => {
    expect(Object.keys(fileDescriptors)).toEqual(loadProtos().files.map(({ name }) => name));
    for (const [name, { sourceSha256 }] of Object.entries(fileDescriptors)) {
      const version = name.split("/")[2] as string;
      const source = (await sourceOf(name)).replace(
        "package grpc.reflection.v1;",
        `package grpc.reflection.${version};`,
      );
      const hash = new Bun.CryptoHasher("sha256").update(source.replaceAll(/\/\/.*|\s+/g, "")).digest("hex");
      // If not: scripts/fixtures/grpc-descriptors.py
      expect([name, sourceSha256]).toEqual([name, hash]);
    }
  });

  test("have the messages, fields and numbers of the parsed files", () => {
    for (const { name, namespace } of loadProtos().files) {
      const { descriptor } = fileDescriptors[name as keyof typeof fileDescriptors];
      const file = readFile(Buffer.from(descriptor, "base64"));
      const parsed = namespace.nestedArray.flatMap((object) =>
        object instanceof protobuf.Type
          ? object.fieldsArray.map((field) => `${object.name}.${field.name} = ${field.id}`)
          : [],
      );
      const described = file["message_type"].flatMap(
        (message: Answer) =>
          message["field"]?.map((field: Answer) => `${message["name"]}.${field["name"]} = ${field["number"]}`) ?? [],
      );
      expect(described.sort()).toEqual(parsed.sort());
    }
  });

  test("tell optional fields from others", () => {
    const { descriptor } = fileDescriptors["akidb/embedding/v1/embedding.proto"];
    const { message_type } = readFile(Buffer.from(descriptor, "base64"));
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
  });
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
    expect((await client.answer("Health", {}))["status"]).toBe("HEALTHY");
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

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createServer } from "node:net";
import { embeddingService, type GrpcClient, startGrpcClient } from "../agent/serving/grpc/start-client.ts";
import { cosine, readReferenceTexts } from "../agent/serving/reference-texts.ts";
import { type Program, startProgram, temporaryDirectory } from "./program.ts";

describe("the program over gRPC, called from Node", () => {
  const directory = temporaryDirectory();
  let agent: Program;
  let client: GrpcClient;
  beforeAll(async () => {
    agent = startProgram(["agent", "--listen", "127.0.0.1:0", "--state-dir", directory.path], directory.path);
    const { grpc } = JSON.parse(await agent.untilLogged("agent started")) as { grpc: string };
    client = startGrpcClient(grpc);
  });
  afterAll(async () => {
    await client.stop();
    await agent.stop("SIGKILL");
    directory.remove();
  });

  test("its methods are learned by reflection; vectors match the reference", async () => {
    expect(await client.learn(embeddingService)).toEqual(["Embed", "Health", "ListModels"]);
    for (const { text, vector } of (await readReferenceTexts()).slice(0, 5)) {
      const { embeddings } = await client.answer("Embed", { inputs: [text] });
      expect(cosine(embeddings[0].values, vector)).toBeGreaterThanOrEqual(0.98);
    }
    expect((await client.answer("ListModels", {}))["models"][0].id).toBe("all-MiniLM-L6-v2");
    expect((await client.failure("Embed", { inputs: [] })).code).toBe(3);
  });

  test("Health speaks of all of the agent's parts", async () => {
    const { status, state, version } = await client.answer("Health", {});
    expect({ status, state }).toEqual({ status: "HEALTHY", state: "healthy" });
    expect(version).toMatch(/^\d+\.\d+\.\d+/);
  });

  test("SIGTERM: those who watch hear of it first, then it ends", async () => {
    const watched = client.call("grpc.health.v1.Health/Watch", { service: embeddingService });
    expect((await watched.next()).answer).toEqual({ status: "SERVING" });
    const exited = agent.stop();
    expect((await watched.next()).answer).toEqual({ status: "NOT_SERVING" });
    expect((await watched.next()).error?.code).toBe(14);
    expect(await exited).toBe(0);
  });
});

test("a gRPC port that was chosen and is taken ends with 2 and names the setting", async () => {
  const directory = temporaryDirectory();
  const holder = createServer();
  const port = await new Promise<number>((resolve) => {
    holder.listen(0, "127.0.0.1", () => resolve((holder.address() as { port: number }).port));
  });
  const agent = startProgram(
    ["agent", "--listen", "127.0.0.1:0", "--grpc", `127.0.0.1:${port}`, "--state-dir", directory.path],
    directory.path,
  );
  expect(await agent.child.exited).toBe(2);
  expect(agent.log()).toContain(`gRPC port ${port}`);
  expect(agent.log()).toContain("serving.grpc.port");
  holder.close();
  directory.remove();
});

test.each([
  ["a bad address", ["--grpc", "here"], "--grpc: expected HOST:PORT"],
  ["an open address without a key", ["--grpc", "0.0.0.0:0"], "serving.grpc: refusing to listen on 0.0.0.0"],
])("--grpc with %s", async (_name, args, text) => {
  const directory = temporaryDirectory();
  const agent = startProgram(
    ["agent", "--listen", "127.0.0.1:0", "--state-dir", directory.path, ...args],
    directory.path,
  );
  expect(await agent.child.exited).toBe(2);
  expect(agent.log()).toContain(text);
  directory.remove();
});

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { modelDirectory } from "./models/model-directories.ts";
import { type Answer, type TestServing, testServing } from "./start-serving.ts";

let place: string;
let server: TestServing;
beforeAll(async () => {
  place = await modelDirectory(["one", "two", "three", "damaged"]);
  await rm(join(place, "damaged", "model.onnx"));
  await writeFile(join(place, "damaged", "model.onnx"), "not a model");
  // The default model and one more.
  server = testServing({ modelDirectory: place, modelMemoryBytes: 400_000_000, oneThreadProcesses: 0 });
  await server.serving.start();
});
afterAll(async () => {
  await server.serving.stop();
  await rm(place, { recursive: true, force: true });
});

const models = async () => ((await (await fetch(`${server.serving.url}/models`)).json()) as Answer)["models"];
const model = async (id: string) => (await models()).find((entry: Answer) => entry["id"] === id);
const embed = (id: string, text: string) => server.post("/api/v1/embed", { model: id, inputs: [text] });
const metric = async (name: string) => {
  const text = await (await fetch(`${server.serving.url}/metrics`)).text();
  const line = text.split("\n").find((row) => row.startsWith(name) && /[ {]/.test(row.charAt(name.length)));
  return Number(line?.split(" ").at(-1) ?? 0);
};

/** The model processes of this one, which are its only children that say so. */
function workers(): number {
  return readdirSync("/proc").filter((pid) => {
    try {
      if (!new RegExp(`^PPid:\\s+${process.pid}$`, "m").test(readFileSync(`/proc/${pid}/status`, "utf8"))) return false;
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("model-worker");
    } catch {
      return false; // no process, or it ended while we looked
    }
  }).length;
}

describe("several models", () => {
  test("those of the directory are there before any of them is loaded", async () => {
    expect((await models()).map(({ id, status, pinned }: Answer) => [id, status, pinned])).toEqual([
      ["all-MiniLM-L6-v2", "loaded", true],
      ["damaged", "available", false],
      ["one", "available", false],
      ["three", "available", false],
      ["two", "available", false],
    ]);
    expect(server.serving.loadedModels().map(({ id }) => id)).toEqual(["all-MiniLM-L6-v2"]);
  });

  test("one is loaded by the first request, once for all concurrent requests, and answers as it should", async () => {
    const missesBefore = await metric('akidb_model_cache_misses_total{model="one"}');
    const answers = await Promise.all(["x", "y", "x", "z"].map((text) => embed("one", text)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(answers[0]!.body["model"]).toBe("one");
    const reference = await embed("all-MiniLM-L6-v2", "x");
    for (const [i, value] of (answers[0]!.body["embeddings"][0] as number[]).entries()) {
      expect(value).toBeCloseTo(reference.body["embeddings"][0][i], 5);
    }
    expect((await metric('akidb_model_cache_misses_total{model="one"}')) - missesBefore).toBe(4);
    expect(await metric('akidb_model_load_seconds_count{model="one"}')).toBe(1);
    expect(await metric("akidb_model_cache_size")).toBe(2);
    expect(workers()).toBe(2);
    const hitsBefore = await metric('akidb_model_cache_hits_total{model="one"}');
    expect((await embed("ONE-alias", "again")).body["model"]).toBe("one");
    expect((await metric('akidb_model_cache_hits_total{model="one"}')) - hitsBefore).toBe(1);
    expect(server.serving.loadedModels().map(({ id }) => id)).toEqual(["all-MiniLM-L6-v2", "one"]);
  });

  test("the next one takes the memory of the least recently used, and its process ends", async () => {
    expect((await embed("two", "a")).status).toBe(200);
    expect(workers()).toBe(2);
    expect(await metric('thormesh_model_evictions_total{model="one",cause="memory"}')).toBe(1);
    expect((await model("one"))["status"]).toBe("available");
    expect((await model("one"))["memory_mb"]).toBeNull();
    expect((await model("two"))["status"]).toBe("loaded");
    expect((await model("all-MiniLM-L6-v2"))["status"]).toBe("loaded");
    expect(await metric("thormesh_model_memory_bytes")).toBeGreaterThan(200e6);
  });

  test("models that are asked for in turns, with room for one, are all answered", async () => {
    const answers = await Promise.all(
      ["one", "two", "three", "one", "two", "three"].map((id, i) => embed(id, `turn ${i}`)),
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200]);
    expect(workers()).toBe(2);
  });

  test("one that can't be loaded says why; the others keep serving, and its process does not stay", async () => {
    const refused = await embed("damaged", "a");
    expect(refused.status).toBe(503);
    expect(refused.body["code"]).toBe("MODEL_UNAVAILABLE");
    expect(refused.body["error"]).toContain("does not match the manifest");
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    const entry = await model("damaged");
    expect(entry["status"]).toBe("available");
    expect(entry["problem"]).toContain("does not match the manifest");
    expect((await fetch(`${server.serving.url}/readyz`)).status).toBe(200);
    const health = (await (await fetch(`${server.serving.url}/health`)).json()) as Answer;
    expect(health["checks"]["model_cache"]).toBe("degraded");
    expect(health["details"]["model_cache"]).toContain("damaged can't be loaded");
    expect((await embed("all-MiniLM-L6-v2", "b")).status).toBe(200);
    expect(workers()).toBeLessThanOrEqual(2);
  });

  test("unknown models are not found, and their names do no harm", async () => {
    for (const id of ["nope", "../one", "one/../two", "."]) {
      const { status, body } = await embed(id, "a");
      expect({ id, status, code: body["code"] }).toEqual({ id, status: 404, code: "MODEL_NOT_FOUND" });
    }
  });

  test("both APIs list them", async () => {
    const openai = (await (await fetch(`${server.serving.url}/v1/models`)).json()) as Answer;
    expect(openai["data"].map(({ id }: Answer) => id)).toEqual((await models()).map(({ id }: Answer) => id));
  });

  test("a directory that can't be read is said in /health", async () => {
    await mkdir(join(place, "Torn"));
    await Bun.write(join(place, "Torn", "manifest.json"), "{");
    // A name that is unknown makes the agent look again, once a second.
    while ((await embed("torn", "a")).status === 404) await Bun.sleep(50);
    const health = (await (await fetch(`${server.serving.url}/health`)).json()) as Answer;
    expect(health["checks"]["model_cache"]).toBe("degraded");
    expect(health["details"]["model_cache"]).toContain("Torn is not served:");
  });
});

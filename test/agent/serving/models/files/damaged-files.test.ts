import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hashModelFiles } from "#agent/serving/models/files/hash-model-files.ts";
import { lookUpModel, tokenTable } from "../../../../fakes/onnx/tiny-models.ts";
import { type Answer, type TestServing, testServing } from "../../start-serving.ts";
import { bertConfig, writeModelDirectory } from "../write-model-directory.ts";

/** Everything that a model's vectors depend on; the weights lie in a file that only the ONNX file names. */
const files = [
  "model.onnx",
  "weights.bin",
  "tokenizer.json",
  "tokenizer_config.json",
  "config.json",
  "sentence_bert_config.json",
  "modules.json",
  "1_Pooling/config.json",
] as const;

const damages: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  "a bit flipped": (bytes) => {
    const damaged = Buffer.from(bytes);
    // In the last half: of weights and of JSON alike.
    const place = Math.floor(bytes.length * 0.75);
    damaged[place] = (damaged[place] as number) ^ 4;
    return damaged;
  },
  "cut off": (bytes) => bytes.subarray(0, Math.floor(bytes.length / 2)),
  "a byte added": (bytes) => Buffer.concat([bytes, Buffer.from(" ")]),
};

let root: string;
let good: string;
let running: TestServing | undefined;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "thormesh-damage-"));
  good = join(root, "good", "tiny");
  const table = new Uint8Array(Float32Array.from(tokenTable(30_522, 4)).buffer);
  const external = { file: "weights.bin", offset: 0, bytes: table.byteLength };
  await writeModelDirectory(good, {
    "model.onnx": lookUpModel({ table: external as never }),
    "weights.bin": table,
    "tokenizer_config.json": { model_max_length: 64, do_lower_case: true },
    "sentence_bert_config.json": { max_seq_length: 32, do_lower_case: false },
    "modules.json": [
      { idx: 0, name: "0", path: "", type: "sentence_transformers.models.Transformer" },
      { idx: 1, name: "1", path: "1_Pooling", type: "sentence_transformers.models.Pooling" },
    ],
    "1_Pooling/config.json": { word_embedding_dimension: 4, pooling_mode_mean_tokens: true },
    "config.json": bertConfig,
  });
});
afterEach(async () => {
  await running?.serving.stop();
  running = undefined;
});
afterAll(() => rm(root, { recursive: true, force: true }));

async function copyOfModel(withManifest: boolean): Promise<{ models: string; directory: string; state: string }> {
  const place = await mkdtemp(join(root, "copy-"));
  const models = join(place, "models");
  const directory = join(models, "tiny");
  await cp(good, directory, { recursive: true });
  if (withManifest) {
    const listed = await Promise.all(
      files.map(async (name) => {
        const bytes = await readFile(join(directory, name));
        return [name, { bytes: bytes.length, sha256: new Bun.CryptoHasher("sha256").update(bytes).digest("hex") }];
      }),
    );
    const manifest = {
      id: "tiny",
      name: "tiny",
      revision: "1",
      licence: "none",
      files: Object.fromEntries(listed),
      dimension: 4,
      normalise: false,
      maxTokens: 32,
      params: 1,
    };
    await writeFile(join(directory, "manifest.json"), JSON.stringify(manifest));
  }
  return { models, directory, state: join(place, "state") };
}

function create({ models, state }: { models: string; state: string }, upkeepMs?: number): TestServing {
  running = testServing(
    { model: "tiny", modelDirectory: models, threads: 1, oneThreadProcesses: 0 },
    { fingerprints: state, ...(upkeepMs === undefined ? {} : { upkeepMs }) },
  );
  return running;
}

const get = async ({ serving }: TestServing, path: string) =>
  (await fetch(`${serving.url}${path}`)).json() as Promise<Answer>;
const vectorOf = async (served: TestServing, text: string) => {
  const { status, body } = await served.post("/api/v1/embed", { inputs: [text] });
  return status === 200 ? (body["embeddings"] as number[][])[0] : status;
};
async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await Bun.sleep(20);
}
/** The model is compared with what it was after it is ready. */
const compared = (served: TestServing) => until(async () => (await readdirOf(served)).length > 0);
let stateOf = "";
const readdirOf = async (_served: TestServing) => [
  ...new Bun.Glob("*.json").scanSync({ cwd: stateOf, absolute: true }),
];

async function damage(directory: string, name: string, how: string): Promise<void> {
  const path = join(directory, name);
  await writeFile(path, (damages[how] as (bytes: Buffer) => Buffer)(await readFile(path)));
}

describe.each([true, false])("with a manifest that says what the files must be: %p", (withManifest) => {
  const cases = files.flatMap((name) => Object.keys(damages).map((how) => [name, how] as const));
  let place: Awaited<ReturnType<typeof copyOfModel>>;
  let recorded: string;

  // The start that records what the files are is the same for every damage: it is made once, and its record copied.
  beforeAll(async () => {
    place = await copyOfModel(withManifest);
    stateOf = place.state;
    await Bun.write(join(place.state, ".keep"), "");
    const first = create(place);
    await first.serving.start();
    await compared(first);
    expect((await get(first, "/health"))["status"]).toBe("healthy");
    await first.serving.stop();
    running = undefined;
    recorded = `${place.state}-recorded`;
    await cp(place.state, recorded, { recursive: true });
  });

  test.each(cases)("%s, %s between two starts: never served as healthy", async (name, how) => {
    for (const file of files) await cp(join(good, file), join(place.directory, file));
    await rm(place.state, { recursive: true });
    await cp(recorded, place.state, { recursive: true });
    stateOf = place.state;
    await damage(place.directory, name, how);
    const second = create(place);
    // The serving process waits a while for a model that will not load; the test does not.
    const outcome = await Promise.race([
      second.serving.start().then(
        () => "started",
        () => "refused",
      ),
      until(async () => second.serving.url !== "" && (await get(second, "/health"))["status"] === "degraded").then(
        () => "degraded",
      ),
    ]);
    if (outcome === "refused") return;
    await until(async () => (await get(second, "/health"))["status"] === "degraded");
    if (withManifest) {
      expect((await fetch(`${second.serving.url}/readyz`)).status).toBe(503);
      return;
    }
    const health = await get(second, "/health");
    const said = JSON.stringify(health["details"]);
    if (health["checks"].model_files === "degraded") {
      expect(said).toContain(name);
      expect(said).toContain("delete ");
    } else expect(health["checks"].embedding_provider).toMatch(/^(unhealthy|loading)$/);
  });

  test.each([
    ["weights.bin", "a bit flipped"],
    ["tokenizer.json", "a byte added"],
    ["model.onnx", "cut off"],
  ])("%s, %s while it is served: found out and never healthy again", async (name, how) => {
    const place = await copyOfModel(withManifest);
    stateOf = place.state;
    await Bun.write(join(place.state, ".keep"), "");
    const served = create(place, 100);
    await served.serving.start();
    await compared(served);
    expect(await vectorOf(served, "a part")).toHaveLength(4);
    expect((await get(served, "/health"))["status"]).toBe("healthy");
    await damage(place.directory, name, how);
    await until(async () => {
      const { status, checks } = await get(served, "/health");
      if (status !== "degraded") return false;
      return withManifest || checks.model_files === "degraded" || checks.embedding_provider === "unhealthy";
    });
    await Bun.sleep(500);
    expect((await get(served, "/health"))["status"]).toBe("degraded");
    if (withManifest) expect((await fetch(`${served.serving.url}/readyz`)).status).toBe(503);
  });
});

test("a file that was only touched, or copied anew, is served as before", async () => {
  const place = await copyOfModel(false);
  stateOf = place.state;
  await Bun.write(join(place.state, ".keep"), "");
  const first = create(place);
  await first.serving.start();
  await compared(first);
  const vector = await vectorOf(first, "a part");
  await first.serving.stop();
  for (const name of files) await writeFile(join(place.directory, name), await readFile(join(good, name)));
  const second = create(place);
  await second.serving.start();
  expect(await vectorOf(second, "a part")).toEqual(vector as number[]);
  await Bun.sleep(300);
  expect((await get(second, "/health"))["status"]).toBe("healthy");
});

test("the record deleted by hand: the files there are now are as they should be", async () => {
  const place = await copyOfModel(false);
  stateOf = place.state;
  await Bun.write(join(place.state, ".keep"), "");
  const first = create(place);
  await first.serving.start();
  await compared(first);
  await first.serving.stop();
  await damage(place.directory, "weights.bin", "a bit flipped");
  const second = create(place);
  await second.serving.start();
  await until(async () => (await get(second, "/health"))["status"] === "degraded");
  expect(await (await fetch(`${second.serving.url}/metrics`)).text()).toMatch(
    /^thormesh_model_doubtful\{model="tiny"\} 1$/m,
  );
  await second.serving.stop();
  for (const path of await readdirOf(second)) await rm(path);
  const third = create(place);
  await third.serving.start();
  await compared(third);
  expect((await get(third, "/health"))["status"]).toBe("healthy");
});

test("vectors of before the files changed are not answered from the cache", async () => {
  const place = await copyOfModel(false);
  stateOf = place.state;
  const served = create(place, 100);
  await served.serving.start();
  const before = await vectorOf(served, "a part");
  const table = Float32Array.from(tokenTable(30_522, 4), (value) => value + 1);
  await writeFile(join(place.directory, "weights.bin"), new Uint8Array(table.buffer));
  await until(async () => {
    const now = await vectorOf(served, "a part");
    return Array.isArray(now) && now[0] !== (before as number[])[0];
  });
});

test("weights that an ONNX file looks for outside its directory are refused", async () => {
  const directory = join(root, "outside");
  for (const file of ["../secret.bin", "/etc/hostname"]) {
    const external = { file, offset: 0, bytes: 4 };
    await writeModelDirectory(directory, { "model.onnx": lookUpModel({ table: external as never }) });
    const path = join(directory, "model.onnx");
    expect(() => hashModelFiles([{ name: "model.onnx", path, sha256: null }], path)).toThrow("outside its directory");
  }
});

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startProgram, temporaryDirectory } from "./program.ts";

const libraries = ["libonnxruntime.so.1", "onnxruntime_binding.node"];
const shipped = join(import.meta.dir, "../../node_modules/onnxruntime-node/bin/napi-v6/linux", process.arch);

let directory: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory.remove());

/** One text through a model process of its own. */
async function embed(
  env: Readonly<Record<string, string>>,
): Promise<{ exitCode: number; dimension: number; log: string }> {
  const program = startProgram(["embed", "hello", "--json"], directory.path, env);
  const output = await new Response(program.child.stdout).text();
  const exitCode = await program.child.exited;
  return { exitCode, dimension: exitCode === 0 ? JSON.parse(output).dimension : 0, log: program.log() };
}
const works = { exitCode: 0, dimension: 384 };

/** The one directory of libraries below a cache directory, which has the prepared model beside it and nothing else. */
function extracted(cache: string, isPrepared: boolean): string {
  const names = readdirSync(cache).filter((name) => name !== "prepared-models");
  expect(names).toHaveLength(1);
  if (isPrepared)
    expect(readdirSync(join(cache, "prepared-models"))).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/)]);
  expect(names[0]).toMatch(/^onnxruntime-[0-9a-f]{16}$/);
  return join(cache, names[0] as string);
}

function expectIntact(cache: string, isPrepared = true): void {
  const place = extracted(cache, isPrepared);
  expect(readdirSync(place).sort()).toEqual(libraries);
  for (const name of libraries)
    expect(readFileSync(join(place, name)).equals(readFileSync(join(shipped, name)))).toBe(true);
}

describe.if(process.env["THORMESH_BINARY"] !== undefined)("ONNX Runtime inside the compiled executable", () => {
  test("several first starts at once all work and leave one intact copy", async () => {
    const env = { THORMESH_CACHE_DIR: join(directory.path, "cache") };
    const outcomes = await Promise.all([embed(env), embed(env), embed(env)]);
    for (const outcome of outcomes) expect(outcome).toMatchObject(works);
    expectIntact(env.THORMESH_CACHE_DIR);
  });

  test("a library that was damaged on disk is replaced, an intact one is left alone", async () => {
    const cache = join(directory.path, "cache");
    expect(await embed({ THORMESH_CACHE_DIR: cache })).toMatchObject(works);
    const [library, addon] = libraries.map((name) => join(extracted(cache, true), name)) as [string, string];
    const addonWritten = statSync(addon).mtimeMs;
    truncateSync(library, 1_000_000);
    expect(await embed({ THORMESH_CACHE_DIR: cache })).toMatchObject(works);
    expectIntact(cache);
    expect(statSync(addon).mtimeMs).toBe(addonWritten);

    // The same size, but not the same.
    const bytes = readFileSync(library);
    bytes.fill(0, 4096, 8192);
    writeFileSync(library, bytes);
    expect(await embed({ THORMESH_CACHE_DIR: cache })).toMatchObject(works);
    expectIntact(cache);
  });

  test("where the user's cache can't be written to, the temporary directory serves", async () => {
    const outcome = await embed({
      THORMESH_CACHE_DIR: "",
      CACHE_DIRECTORY: "",
      XDG_CACHE_HOME: "/proc/nowhere",
      TMPDIR: directory.path,
    });
    expect(outcome).toMatchObject(works);
    // A prepared model is kept in the user's cache or nowhere: libraries alone are laid down here.
    const place = readdirSync(directory.path).find((name) => /^thormesh-\d+$/.test(name)) ?? "none";
    expectIntact(join(directory.path, place), false);
  });

  test("an operator's own ONNX Runtime is loaded instead, and nothing is laid down", async () => {
    const cache = join(directory.path, "cache");
    expect(await embed({ THORMESH_ONNXRUNTIME_DIR: shipped, THORMESH_CACHE_DIR: cache })).toMatchObject(works);
    expect(readdirSync(directory.path)).not.toContain("cache");
  });

  test("an operator's directory without a library says what is missing; the carried one computes", async () => {
    const { exitCode, log } = await embed({ THORMESH_ONNXRUNTIME_DIR: directory.path });
    expect(exitCode).toBe(0);
    expect(log).toContain(`expected libonnxruntime.so.1 (or .so, .so.1.x.y) in ${directory.path}`);
  });
});

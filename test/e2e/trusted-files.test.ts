import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, chownSync, copyFileSync, linkSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "./program.ts";

/** Files beside the executable; only the compiled one looks there. */
const binary = process.env["THORMESH_BINARY"];
const isRoot = process.getuid?.() === 0;
const stranger = 4711;
const asNobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];
const canDrop = isRoot && Bun.which("setpriv") !== null;

let directory: ReturnType<typeof temporaryDirectory>;
let program: string;
let home: string;
beforeEach(() => {
  directory = temporaryDirectory();
  chmodSync(directory.path, 0o755);
  const bin = join(directory.path, "above", "bin");
  mkdirSync(bin, { recursive: true });
  program = join(bin, "thormesh");
  try {
    linkSync(binary as string, program);
  } catch {
    copyFileSync(binary as string, program);
  }
  home = join(directory.path, "home");
  mkdirSync(home);
  chownSync(home, isRoot ? 65_534 : (process.getuid?.() ?? 0), isRoot ? 65_534 : (process.getgid?.() ?? 0));
});
afterEach(() => directory.remove());

function run(user: string, ...args: string[]) {
  const { stdout, stderr, exitCode } = Bun.spawnSync([...(user === "root" ? [] : asNobody), program, ...args], {
    env: { PATH: process.env["PATH"] ?? "", HOME: user === "root" ? join(directory.path, "own") : home },
    cwd: directory.path,
    stdin: "ignore",
  });
  return { said: `${stdout}${stderr}`, exitCode };
}

/** Package that leaves a mark when it runs. */
function plantNative(folder: string) {
  const place = join(folder, "node_modules", "@tensorflow", "tfjs-node");
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, "index.js"), `require("fs").writeFileSync(${JSON.stringify(join(home, "ran"))}, "");`);
  return place;
}
function plantModel(folder: string) {
  const place = join(folder, "models", "planted");
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, "config.json"), "{}");
  return place;
}
const ran = async () => await Bun.file(join(home, "ran")).exists();

const strangers: readonly (readonly [string, (path: string) => void, boolean])[] = [
  ["belongs to a stranger", (path) => chownSync(path, stranger, stranger), true],
  ["may be written by everybody", (path) => chmodSync(path, 0o777), false],
  ["may be written by a group", (path) => chmodSync(path, 0o775), false],
];
const users = canDrop ? ["root", "nobody"] : ["root"];
const cases = users.flatMap((user) =>
  strangers.filter(([, , needsRoot]) => !needsRoot || isRoot).map(([what, spoil]) => [user, what, spoil] as const),
);

describe.if(binary !== undefined && isRoot)("beside the executable", () => {
  test.each(cases)("as %s: a tfjs-node and a model that %s are left out and named", async (user, _, spoil) => {
    spoil(plantNative(join(directory.path, "above", "bin")));
    const place = plantModel(join(directory.path, "above", "bin"));
    spoil(place);
    const { said } = run(user, "doctor", "--json");
    expect(said).toMatch(/tfjs-node can't be used: .*other users could have changed it/);
    expect(await ran()).toBe(false);
    expect(said).toContain("other users could have changed files that are loaded here");
    expect(said).toContain(place);
    // The files inside the executable still serve.
    expect(said).toMatch(/"name": "embedding",\s*"status": "ok",\s*"detail": "all-MiniLM-L6-v2/);
    expect(run(user, "embed", "--model", "planted", "a text").said).toContain("is not served");
  });

  test.each(users.map((user) => [user]))(
    "as %s: nothing is looked for in folders above, whatever their owner",
    async (user) => {
      plantNative(join(directory.path, "above"));
      plantNative(directory.path);
      plantModel(join(directory.path, "above"));
      const { said } = run(user, "doctor", "--json");
      expect(said).toContain("tfjs-node is not installed");
      expect(said).not.toContain("planted");
      expect(await ran()).toBe(false);
    },
  );
});

describe.if(binary !== undefined && isRoot)("what the configuration names", () => {
  test.each(cases)("as %s: a directory that %s is refused with path, owner and mode", (user, _, spoil) => {
    const place = join(directory.path, "place");
    mkdirSync(place);
    for (const name of ["libonnxruntime.so.1", "model.json", "weights.bin", "scaling.json"])
      writeFileSync(join(place, name), "x");
    const path = join(directory.path, "agent.json");
    writeFileSync(path, JSON.stringify({ serving: { onnxruntimeDirectory: place }, forecast: { modelDir: place } }));
    spoil(place);
    const { said, exitCode } = run(user, "doctor", "--json", "--config", path);
    expect(exitCode).toBe(1);
    expect(said).toContain("other users could have changed files that are loaded here");
    expect(said).toMatch(/"name": "forecast"[^}]*other users could have changed it/);
    expect(said).toMatch(/place .*mode 0\d{3}/);
  });

  test.each(cases)("as %s: a configuration that %s is not acted on", async (user, _, spoil) => {
    const path = join(directory.path, "agent.json");
    const command = ["touch", join(home, "ran")];
    writeFileSync(path, JSON.stringify({ power: { board: "jetson", jetson: { nvpmodel: command } } }));
    spoil(path);
    for (const args of [["agent"], ["controller"], ["calibrate"], ["models", "list"]]) {
      const { said, exitCode } = run(user, ...args, "--config", path);
      expect({ args, exitCode, refused: said.includes("other users could have changed it") }).toEqual({
        args,
        exitCode: 2,
        refused: true,
      });
    }
    if (user === "root") expect(run(user, "doctor", "--config", path).exitCode).toBe(2);
    expect(await ran()).toBe(false);
  });
});

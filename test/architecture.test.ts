import { describe, expect, test } from "bun:test";
import { accessSync, constants, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

const root = join(import.meta.dir, "..");
const tracked = new TextDecoder()
  .decode(Bun.spawnSync(["git", "ls-files", "--cached", "--others", "--exclude-standard"], { cwd: root }).stdout)
  .trim()
  .split("\n")
  .filter((path) => Bun.file(join(root, path)).size > 0);
const sources = tracked.filter((path) => /\.tsx?$/.test(path) && !path.startsWith("test/"));
const read = (path: string) => readFileSync(join(root, path), "utf8");
const withoutComments = (source: string) =>
  source.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/(^|\s)\/\/.*$/gm, "");

/** Sources of the product, without scripts and measurements. */
const programs = sources.filter((path) =>
  /^(main\.ts|(agent|cli|controller|platform|protocol|tools|forecast)\/)/.test(path),
);

/** Sources that run in a browser. */
const isForBrowser = (path: string) => /^(platform\/page|(agent|controller\/dashboard)\/page)\//.test(path);

/** Returns the text of a call, from its name to its closing bracket. */
function callAt(source: string, start: number): string {
  let depth = 0;
  for (let index = source.indexOf("(", start); index < source.length; index += 1) {
    if (source[index] === "(") depth += 1;
    if (source[index] === ")") depth -= 1;
    if (depth === 0) return source.slice(start, index + 1);
  }
  return source.slice(start);
}

/** Layers, the lowest first: each imports only itself and those before it. */
const layerOrder = ["platform", "protocol", "forecast", "agent", "controller", "tools", "cli"];
/** Layers that embed files of models/, and the one that embeds an example of deploy/. */
const embedders = new Map([
  ["models", new Set(["forecast", "agent", "tools", "cli"])],
  ["deploy", new Set(["tools"])],
  // The installer.
  ["scripts", new Set(["tools"])],
]);
/** Upper bound of source files on one level. */
const maxFilesInFolder = 20;
/** The agent's files that the controller may import: its decisions. */
const sharedWithController = /^agent\/(.*\/)?decide-[a-z-]+\.ts$/;

function importsOf(path: string): string[] {
  const specifiers = [...read(path).matchAll(/(?:from|import\()\s*"([^"]+)"/g)].map((match) => match[1] as string);
  return specifiers.flatMap((specifier) => {
    if (specifier.startsWith("#")) return [specifier.slice(1)];
    if (specifier.startsWith(".")) return [join(path, "..", specifier)];
    return [];
  });
}

describe("architecture", () => {
  test("the sources are found", () => {
    expect(sources.length).toBeGreaterThan(100);
    expect(sources.filter((path) => path.includes("/decide-")).length).toBeGreaterThan(4);
  });

  test.each(sources.filter((path) => path.includes("/decide-")))("%s is pure", (path) => {
    const source = withoutComments(read(path));
    expect(source).not.toMatch(/\bDate\b|Math\.random|\bprocess\.|\bfetch\(|\bperformance\.|\bsetTimeout\b|\bBun\./);
    expect(source).not.toMatch(/from "(node|bun):/);
    expect(source).not.toMatch(/from "(mqtt|elysia|aedes|pino|prom-client|onnxruntime-node)"/);
  });

  test("one strict parser reads YAML", () => {
    for (const path of programs.filter((each) => each !== "platform/files/parse-yaml.ts")) {
      expect({ path, source: withoutComments(read(path)) }).toEqual({
        path,
        source: expect.not.stringMatching(/Bun\.YAML|from "yaml"/),
      });
    }
  });

  test("times that people write are parsed strictly", () => {
    // These read what the program itself wrote.
    const ownTimes = new Set([
      "forecast/night/training-record.ts",
      "forecast/data/calendar.ts",
      "tools/demo/view/report.ts",
    ]);
    for (const path of programs.filter((each) => !ownTimes.has(each))) {
      expect({ path, source: withoutComments(read(path)) }).toEqual({
        path,
        source: expect.not.stringMatching(/Date\.parse/),
      });
    }
  });

  test.each(layerOrder)("%s imports only what lies below it", (layer) => {
    const below = layerOrder.slice(0, layerOrder.indexOf(layer));
    for (const path of sources.filter((source) => source.startsWith(`${layer}/`))) {
      for (const target of importsOf(path)) {
        const folder = target.split("/")[0] as string;
        const allowed =
          folder === layer ||
          below.includes(folder) ||
          embedders.get(folder)?.has(layer) === true ||
          folder === "package.json" ||
          target.includes("node_modules");
        expect({ path, target, allowed }).toEqual({ path, target, allowed: true });
        if (layer === "controller" && folder === "agent") expect(target).toMatch(sharedWithController);
      }
    }
  });

  test("what runs in a browser passes a type check of its own, has no names of Bun, and writes no HTML", () => {
    const checked = Bun.spawnSync([process.execPath, "check", "--no-script", "-p", "tsconfig.page.json"], {
      ...{ cwd: root, stdout: "pipe", stderr: "pipe" },
    });
    expect({ exitCode: checked.exitCode, output: checked.stdout.toString() }).toMatchObject({ exitCode: 0 });
    const pages = programs.filter(isForBrowser);
    expect(pages.length).toBeGreaterThan(10);
    for (const path of pages) {
      expect({ path, source: withoutComments(read(path)) }).toEqual({
        path,
        source: expect.not.stringMatching(
          /\bBun\.|\bprocess\.|from "(node|bun)\b|dangerouslySetInnerHTML|innerHTML|outerHTML|insertAdjacentHTML|document\.write/,
        ),
      });
    }
  });

  test("every source belongs to a layer", () => {
    const known = new Set([...layerOrder, "main.ts", "models", "scripts", "embedded-files.d.ts"]);
    expect(sources.filter((path) => !known.has(path.split("/")[0] as string))).toEqual([]);
  });

  test("no folder has more source files than fit on a screen", () => {
    const counts = new Map<string, number>();
    for (const path of programs) counts.set(dirname(path), (counts.get(dirname(path)) ?? 0) + 1);
    expect([...counts].filter(([, count]) => count > maxFilesInFolder)).toEqual([]);
  });

  test("a decision stands in a file named decide-*, and such a file holds one", () => {
    const declares = /^export (?:async )?(?:function|const) decide[A-Z]\w*/m;
    const misplaced = programs
      .filter((path) => !path.startsWith("cli/"))
      .filter((path) => declares.test(read(path)) !== basename(path).startsWith("decide-"));
    expect(misplaced).toEqual([]);
  });

  test("a test stands where its source does", () => {
    const folders = new Set(programs.map((path) => dirname(path)));
    const mirrored = tracked.filter((path) => new RegExp(`^test/(${layerOrder.join("|")})/.*\\.test\\.ts$`).test(path));
    expect(mirrored.filter((path) => !folders.has(dirname(path).slice("test/".length)))).toEqual([]);
  });

  test("every child process gets an environment of its own, without the secrets of this process", () => {
    const found: string[] = [];
    const wrong: string[] = [];
    for (const path of programs) {
      const source = withoutComments(read(path));
      for (const { index } of source.matchAll(/\bBun\.(spawn|spawnSync)\(/g)) {
        found.push(path);
        // Commands may get a smaller one.
        if (path === "platform/process/run-command.ts" && /= childEnvironment\("command"/.test(source)) continue;
        if (!/\benv: (\{ \.\.\.\w+, \.\.\.)?childEnvironment\("/.test(callAt(source, index))) wrong.push(path);
      }
      if (/child_process|\bBun\.\$|\.\.\.process\.env|env: process\.env|new Worker\(/.test(source)) wrong.push(path);
    }
    expect(found.sort()).toEqual([
      "agent/power/device/tegrastats-meter.ts",
      "agent/power/sleep/suspend.ts",
      "cli/support/read-log.ts",
      "controller/scaling/actuators/process-capacity.ts",
      "platform/process/child-worker.ts",
      "platform/process/run-command.ts",
      "tools/calibrate/board-guard.ts",
      "tools/calibrate/load-by-process.ts",
      "tools/demo/fleet/child-process.ts",
    ]);
    expect(wrong).toEqual([]);
  });

  test("one place sends HTTP requests and handles redirects, sizes, times and secrets in addresses", () => {
    const asking = programs
      .filter((path) => !isForBrowser(path))
      .filter((path) =>
        withoutComments(read(path))
          .split("\n")
          .some((line) =>
            /(?<![.\w])(globalThis\.|Bun\.)?fetch\((?!request\b)|node:https?"|new WebSocket\(|XMLHttpRequest/.test(
              line,
            ),
          ),
      );
    expect(asking).toEqual(["platform/fetch/fetch-bounded.ts"]);
  });

  test("no file has a name that says nothing", () => {
    expect(tracked.filter((path) => /(^|\/)(utils?|helpers?|common|manager|misc)(\.ts|\/)/.test(path))).toEqual([]);
  });

  test("a docblock begins with a verb or a noun", () => {
    const interrogative = /\/\*\*[\s*]*(What|Whether|Who|Whom|Whose|How|Where|When|Why|Which)\b.*/g;
    const found = tracked
      .filter((path) => /\.tsx?$/.test(path))
      .flatMap((path) => [...read(path).matchAll(interrogative)].map(([text]) => `${path}: ${text}`));
    expect(found).toEqual([]);
    expect("/**\n   * Whether it is so. */").toMatch(interrogative);
    expect("/** Whereabouts of it. */").not.toMatch(interrogative);
  });

  test("no file names a machine's own paths or a package registry", () => {
    const words = [
      ["/wo", "rk/"].join(""),
      ["/ro", "ot/"].join(""),
      ["regis", "try.npmjs"].join(""),
      ["/home", "/"].join(""),
    ];
    const text = tracked.filter(
      (path) => !/\.(onnx|bin|f32|csv|node)$/.test(path) && !path.startsWith("test/fixtures/"),
    );
    expect(text.filter((path) => words.some((word) => read(path).includes(word)))).toEqual([]);
  });

  test("scripts are executable", () => {
    const scripts = tracked.filter((path) => /^(scripts|\.ci|test\/fakes)\//.test(path) && read(path).startsWith("#!"));
    expect(scripts.length).toBeGreaterThan(5);
    for (const path of scripts) accessSync(join(root, path), constants.X_OK);
  });
});

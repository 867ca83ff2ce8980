import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createStackRestorer, packStackMaps, readStackMaps } from "#platform/terminal/stack-map.ts";
import { reduceMap, stackMaps } from "../../scripts/build-stack-map.ts";

const root = mkdtempSync(join(tmpdir(), "thormesh-stack-"));
afterAll(() => rmSync(root, { recursive: true }));

const files = {
  "main.ts":
    'import { deep } from "./parts/deep.ts";\nimport { theirs } from "library";\n\nconsole.log(deep(theirs(1)));\n',
  "parts/deep.ts":
    '/** Long\n * comment. */\nexport interface Given {\n  readonly size: number;\n}\n\nexport function deep(size: number): never {\n  const given: Given = { size };\n  console.log(given);\n  throw new Error("deep");\n}\n',
  "node_modules/library/index.js":
    'export function theirs(value) {\n  if (value > 3) throw new Error("theirs");\n  return value;\n}\n',
};

async function bundle() {
  for (const [path, text] of Object.entries(files)) await Bun.write(join(root, path), text);
  return await Bun.build({
    ...{ entrypoints: [join(root, "main.ts")], target: "bun", sourcemap: "external" },
    minify: { whitespace: true, syntax: true, identifiers: false },
  });
}

/** Directory of the chunks inside an executable. */
const inside = ["", "$bunfs", "root", ""].join("/");

/** Frame of a stack at the first place where a text stands in the code. */
function frameAt(code: string, text: string): string {
  const before = code.slice(0, code.indexOf(text)).split("\n");
  return `    at deep (${inside}main.js:${before.length}:${(before.at(-1) as string).length + 1})`;
}

test("places of our code are told by file and line, those of packages as they were", async () => {
  const { outputs } = await bundle();
  const code = await (outputs[0] as Blob).text();
  const maps = await stackMaps(outputs, root);
  expect(maps["main.js"]?.sources.toSorted()).toEqual(["", "main.ts", "parts/deep.ts"]);
  const restore = createStackRestorer(() => maps);
  expect(restore(`Error: deep\n${frameAt(code, 'Error("deep")')}`)).toBe("Error: deep\n    at deep (parts/deep.ts:10)");
  const theirs = frameAt(code, 'Error("theirs")');
  expect(restore(theirs)).toBe(theirs);
  const unknown = `    at f (${inside}chunk-abc.js:2:7)\n    at g (/srv/main.js:1:1)`;
  expect(restore(unknown)).toBe(unknown);
});

test("every place of our code has the line that the whole map has", async () => {
  const { outputs } = await bundle();
  const map = await (outputs.find(({ kind }) => kind === "sourcemap") as Blob).json();
  const restore = createStackRestorer(() => ({ "main.js": reduceMap(map, (source) => source) }));
  const { SourceMap } = await import("node:module");
  const whole = new SourceMap(map);
  const lines = (await (outputs[0] as Blob).text()).split("\n");
  for (const [row, line] of lines.entries())
    for (let column = 0; column < line.length; column += 1) {
      const entry = whole.findEntry(row, column);
      if (!("originalSource" in entry) || entry.originalSource === undefined) continue;
      const frame = `${inside}main.js:${row + 1}:${column + 1}`;
      expect(restore(frame)).toBe(`${entry.originalSource}:${entry.originalLine + 1}`);
    }
});

test("maps are found at the end of a file, and nothing in any other", async () => {
  const maps = { "main.js": { sources: ["main.ts"], mappings: "AAAA" } };
  const program = new Uint8Array(1000).fill(7);
  const packed = packStackMaps(maps);
  const path = join(root, "program");
  const read = async (...parts: Uint8Array[]) => {
    await Bun.write(path, Buffer.concat(parts));
    return readStackMaps(path);
  };
  expect(await read(program, packed)).toEqual(maps);
  for (const parts of [[], [program], [packed.subarray(-20)], [packed.subarray(5)], [packed, program]])
    expect(await read(...parts)).toEqual({});
});

import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { maxPreparedBytes } from "#agent/serving/prepared/decide-preparation.ts";
import {
  findPrepared,
  preparationPlaces,
  preparedKey,
  preparedNames,
  storePrepared,
} from "#agent/serving/prepared/prepared-models.ts";

let cache: string;
let place: string;
const before = process.env["THORMESH_CACHE_DIR"];

beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), "thormesh-test-"));
  process.env["THORMESH_CACHE_DIR"] = cache;
  place = preparationPlaces()[0]?.directory ?? "";
});
afterEach(() => {
  if (before === undefined) delete process.env["THORMESH_CACHE_DIR"];
  else process.env["THORMESH_CACHE_DIR"] = before;
  rmSync(cache, { recursive: true });
});

const weights = Buffer.alloc(9_000_000, "weights");
const store = (key: string, needBytes = 1) =>
  storePrepared(place, key, needBytes, async (directory) => {
    for (const name of preparedNames) writeFileSync(join(directory, name), weights, { mode: 0o600 });
  });

test("a model's name depends on each file's hash", () => {
  const key = preparedKey({ "model.onnx": "a", "model.onnx_data": "b" });
  expect(preparedKey({ "model.onnx_data": "b", "model.onnx": "a" })).toBe(key);
  expect(preparedKey({ "model.onnx": "a", "model.onnx_data": "c" })).not.toBe(key);
  expect(preparedKey({ "model.onnx": "a" })).not.toBe(key);
});

test("what was stored is found", async () => {
  expect(findPrepared("one")).toBeNull();
  await store("one");
  expect(findPrepared("one")).toBe(join(place, "one"));
  expect(findPrepared("two")).toBeNull();
});

test("a preparation that fails leaves nothing", async () => {
  await expect(storePrepared(place, "one", 1, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  await expect(storePrepared(place, "one", 1, async () => {})).rejects.toThrow("ENOENT");
  expect(readdirSync(place)).toEqual([]);
});

test.each<[string, (directory: string) => void]>([
  [
    "a byte differs",
    (directory) => writeFileSync(join(directory, "model.onnx.data"), Buffer.alloc(9_000_000, "weightS")),
  ],
  ["a file is cut", (directory) => truncateSync(join(directory, "model.onnx.data"), 8_999_999)],
  ["the graph is missing", (directory) => rmSync(join(directory, "model.onnx"))],
  ["the record is missing", (directory) => rmSync(join(directory, "record.json"))],
  ["the record is not JSON", (directory) => writeFileSync(join(directory, "record.json"), "{")],
  ["the record names no file", (directory) => writeFileSync(join(directory, "record.json"), "{}")],
  ["others may write the weights", (directory) => chmodSync(join(directory, "model.onnx.data"), 0o602)],
  ["others may write the directory", (directory) => chmodSync(directory, 0o702)],
])("it is not used when %s, and is replaced", async (_, damage) => {
  await store("one");
  damage(join(place, "one"));
  expect(findPrepared("one")).toBeNull();
  await store("one");
  expect(findPrepared("one")).toBe(join(place, "one"));
});

test("where a new one needs the space, those used the longest ago go", async () => {
  for (const key of ["old", "older", "new"]) await store(key);
  for (const [key, day] of [
    ["older", 1],
    ["old", 2],
    ["new", 3],
  ] as const) {
    const date = new Date(Date.UTC(2026, 0, day));
    utimesSync(join(place, key), date, date);
  }
  expect(findPrepared("older")).not.toBeNull(); // used now
  await store("next", maxPreparedBytes - 2 * 2 * weights.length - 1_000);
  expect(readdirSync(place).sort()).toEqual(["new", "next", "older"]);
});

test("what a killed preparation left goes after a day", async () => {
  for (const name of ["one.1.x", "two.2.y"]) mkdirSync(join(place, name));
  const longAgo = new Date(Date.now() - 25 * 3_600_000);
  utimesSync(join(place, "one.1.x"), longAgo, longAgo);
  await store("three");
  expect(readdirSync(place).sort()).toEqual(["three", "two.2.y"]);
});

import { afterAll, expect, test } from "bun:test";
import { join } from "node:path";
import { UsageError } from "#platform/errors.ts";
import { readStages } from "#tools/load/read-stages.ts";
import { temporaryDirectory } from "../../e2e/program.ts";

const directory = temporaryDirectory();
afterAll(() => directory.remove());

const expected = [
  { durationMs: 30_000, level: 10 },
  { durationMs: 60_000, level: 10, toLevel: 100 },
  { name: "spike", durationMs: 10_000, level: 300 },
];

test("stages in a text", async () => {
  expect(await readStages("10/s 30s, 10..100/s 1m,  spike 300/s 10 s")).toEqual(expected);
  expect(await readStages("0..0.5/s 1.5h")).toEqual([{ durationMs: 5_400_000, level: 0, toLevel: 0.5 }]);
});

test("the same stages in a file", async () => {
  const path = join(directory.path, "stages.yaml");
  await Bun.write(
    path,
    "stages:\n  - { rate: 10, seconds: 30 }\n  - { rate: 10, to: 100, seconds: 60 }\n  - { name: spike, rate: 300, seconds: 10 }\n",
  );
  expect(await readStages(path)).toEqual(expected);
});

test.each([
  ["", "--stages: expected stages like"],
  ["10/s", 'got "10/s"'],
  ["10 30s", 'got "10 30s"'],
  ["10/s 30s,", 'got ""'],
  ["-10/s 30s", 'got "-10/s 30s"'],
  ["10../s 30s", 'got "10../s 30s"'],
  ["0/s 30s", "stages.0.rate: expected a rate above 0 at the start or end, got 0"],
  ["200000/s 30s", "stages.0.rate: expected number from 0 to 100000, got 200000"],
  ["10/s 0s", "stages.0.seconds: expected number from 0.1 to 604800, got 0"],
])("%p is refused", async (text, message) => {
  const error = await readStages(text).catch((thrown) => thrown);
  expect(error).toBeInstanceOf(UsageError);
  expect(error.message).toContain(message);
});

test.each([
  ["stages:\n  - rate: 10\n    secs: 3\n", "stages.0.secs: unknown field"],
  ["stages: []\n", "stages: expected array of 1 to 200 items, got []"],
  ["stages:\n  - rate: 10\n    seconds: 1\nstages: 3\n", "line 4: stages is given twice, first in line 1"],
])("a file with %j is refused", async (text, message) => {
  const path = join(directory.path, "wrong.yaml");
  await Bun.write(path, text);
  const error = await readStages(path).catch((thrown) => thrown);
  expect(error).toBeInstanceOf(UsageError);
  expect(error.message).toContain(message);
});

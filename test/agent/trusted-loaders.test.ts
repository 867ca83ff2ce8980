import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pino from "pino";
import { createAvailableModels } from "#agent/serving/models/available-models.ts";
import { readModelDirectory } from "#agent/serving/models/find-model.ts";
import { findOperatorLibrary } from "#agent/serving/onnxruntime/operator-library.ts";
import { openPolicyFile } from "#controller/scaling/policy/policy-file.ts";
import { loadModelFrom } from "#forecast/lstm/model-files.ts";
import { requireFromDisk } from "#forecast/lstm/require-from-disk.ts";
import { checkTrustedTree } from "#platform/files/check-trusted-path.ts";
import { readOwnConfigFile } from "#platform/files/read-config.ts";
import { temporaryDirectory } from "../e2e/program.ts";

const root = join(import.meta.dir, "..", "..");
const log = pino({ level: "silent" });
const isRoot = process.getuid?.() === 0;
let directory: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory.remove());

/** Everything that is loaded as code, weights or instructions: the file it lies in, and how it is loaded. */
const loaders: Readonly<Record<string, { readonly file: string; load(place: string): unknown }>> = {
  "a model's directory": { file: "model/config.json", load: (place) => readModelDirectory(join(place, "model")) },
  "a directory of models": {
    file: "model/config.json",
    async load(place) {
      const choice = { precision: "auto", architecture: process.arch, gpu: false } as const;
      const available = createAvailableModels([place], choice, log);
      await available.refresh();
      throw new Error(available.problem("model") ?? "no problem");
    },
  },
  "the forecast's model": { file: "lstm/weights.bin", load: (place) => loadModelFrom(join(place, "lstm")) },
  "ONNX Runtime": { file: "ort/libonnxruntime.so.1", load: (place) => findOperatorLibrary(join(place, "ort")) },
  "a package with a native library": {
    file: "node_modules/native/index.js",
    load: (place) => requireFromDisk("native", place),
  },
  "TensorRT's engines": {
    file: "engines/a.engine",
    load: (place) => checkTrustedTree(join(place, "engines"), "engines"),
  },
  "a configuration": { file: "agent.yaml", load: (place) => readOwnConfigFile(join(place, "agent.yaml")) },
  "a scaling policy": {
    file: "policy.yaml",
    load: (place) => openPolicyFile(join(place, "policy.yaml"), () => 0, log),
  },
};

const spoilers: readonly (readonly [string, (file: string, folder: string, place: string) => void])[] = [
  ["the file may be written by everybody", (file) => chmodSync(file, 0o666)],
  ["the file may be written by a group", (file) => chmodSync(file, 0o664)],
  ["its directory may be written by everybody", (_, folder) => chmodSync(folder, 0o777)],
  ["a directory above may be written by everybody", (_, __, place) => chmodSync(place, 0o777)],
  ...(isRoot
    ? ([
        ["the file belongs to another user", (file: string) => chownSync(file, 4711, 4711)],
        ["its directory belongs to another user", (_: string, folder: string) => chownSync(folder, 4711, 4711)],
        ["one above belongs to another user", (_: string, __: string, place: string) => chownSync(place, 4711, 4711)],
      ] as const)
    : []),
];

async function failure(load: () => unknown): Promise<string> {
  try {
    await load();
    return "";
  } catch (error) {
    return String(error);
  }
}

describe.each(Object.entries(loaders))("%s", (_, { file, load }) => {
  const lay = () => {
    const place = join(directory.path, "place");
    const path = join(place, file);
    mkdirSync(join(path, ".."), { recursive: true, mode: 0o755 });
    writeFileSync(path, "{}", { mode: 0o644 });
    return { place, path };
  };

  test.each(spoilers)("is not loaded where %s", async (__, spoil) => {
    const { place, path } = lay();
    spoil(path, join(path, ".."), place);
    expect(await failure(() => load(place))).toContain("other users could have changed it");
  });

  test("nor through a link from a place that is closed", async () => {
    const { place, path } = lay();
    chmodSync(path, 0o666);
    const link = join(directory.path, "link");
    symlinkSync(place, link);
    expect(await failure(() => load(link))).toContain("other users could have changed it");
  });

  test("whatever else is wrong with it, its owner and mode are not", async () => {
    const { place } = lay();
    expect(await failure(() => load(place))).not.toContain("other users could have changed it");
  });
});

test("nothing else loads code from a path: who adds one lists it above", () => {
  const found = Bun.spawnSync(
    [
      "git",
      "grep",
      "-lE",
      "process\\.dlopen|createRequire\\(|loadLayersModel|dlopen\\(|import\\((path|name|file)",
      "--",
      "agent",
      "controller",
      "cli",
      "forecast",
      "platform",
      "protocol",
      "tools",
      "main.ts",
    ],
    { cwd: root },
  );
  expect(found.stdout.toString().trim().split("\n").sort()).toEqual([
    "agent/serving/onnxruntime/load-binding.ts",
    "agent/serving/onnxruntime/open-session.ts",
    // The C library, by its name alone, here and below: the system's loader finds it.
    "agent/serving/worker/resume-without-parent.ts",
    "agent/serving/worker/trim-memory.ts",
    "forecast/lstm/model-files.ts",
    "forecast/lstm/require-from-disk.ts",
    "forecast/lstm/tensorflow.ts",
    // Of scripts that the executable itself carries.
    "platform/files/carried-script.ts",
    "platform/process/lower-rights.ts",
    "platform/service/datagram-socket.ts",
  ]);
});

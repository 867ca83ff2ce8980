import { expect, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AgentConfig } from "#agent/config.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { checkTrust } from "#tools/doctor/check-trust.ts";
import { temporaryDirectory } from "../../e2e/program.ts";

test("models of any number of files are fine, and of several the one that others can write to is named", () => {
  const directory = temporaryDirectory();
  const models = join(directory.path, "models");
  for (const name of ["a", "b", "c"]) {
    mkdirSync(join(models, name, "onnx"), { recursive: true });
    for (const file of ["config.json", "tokenizer.json", "onnx/model.onnx"])
      writeFileSync(join(models, name, file), "");
  }
  const config = parseConfig(AgentConfig, { serving: { modelDirectory: models } }, "the test");
  try {
    expect(checkTrust(null, config, directory.path)).toEqual([]);
    chmodSync(join(models, "b", "config.json"), 0o666);
    const [result, ...more] = checkTrust(null, config, directory.path);
    expect([result?.status, more]).toEqual(["failed", []]);
    expect(JSON.stringify(result)).toContain(join(models, "b", "config.json"));
    expect(JSON.stringify(result)).toContain("(1)");
  } finally {
    directory.remove();
  }
});

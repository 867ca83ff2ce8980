import { describe, test } from "bun:test";
import { join } from "node:path";
import { expectServesAlone } from "./alone.ts";

const binary = process.env["THORMESH_ARM64_BINARY"];
const prefix = process.arch === "arm64" ? [] : [join(import.meta.dir, "..", "..", "scripts", "run-arm64")];

// ./scripts/test-arm64 builds the executable, installs the emulator and names both.
describe.if(binary !== undefined)("the compiled arm64 executable", () => {
  test("copied alone into an empty directory it serves vectors that match the reference", async () => {
    await expectServesAlone(binary as string, prefix);
  });
});

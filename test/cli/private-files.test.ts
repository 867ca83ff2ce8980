import { expect, test } from "bun:test";
import { chmodSync, lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { programCommand, temporaryDirectory } from "../e2e/program.ts";

// Each as the service's user runs it by hand, whose shell has the usual umask.
test.each([["doctor"], ["embed", "a text"]])("%s leaves nothing that others can read", async (...words) => {
  const directory = temporaryDirectory();
  try {
    chmodSync(directory.path, 0o700);
    const command = [...programCommand, ...words].map((word) => `'${word}'`).join(" ");
    const child = Bun.spawn(["sh", "-c", `umask 022; exec ${command}`], {
      // Bun keeps a cache of its own when it runs from the sources.
      env: { PATH: process.env["PATH"] ?? "", HOME: directory.path, BUN_RUNTIME_TRANSPILER_CACHE_PATH: "0" },
      stdin: "ignore",
      stdout: "ignore",
      stderr: "ignore",
    });
    await child.exited;
    const entries = readdirSync(directory.path, { recursive: true, encoding: "utf8" });
    expect(entries.length).toBeGreaterThan(0);
    expect(entries.filter((path) => (lstatSync(join(directory.path, path)).mode & 0o077) !== 0)).toEqual([]);
  } finally {
    directory.remove();
  }
});

import { describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createProcReader } from "#agent/utilization/system-counters.ts";
import { meminfo, processStat, stat } from "./proc-texts.ts";

describe("the reader", () => {
  test("reads /proc, and leaves out processes that ended", async () => {
    const root = mkdtempSync(join(tmpdir(), "thormesh-proc-"));
    try {
      writeFileSync(join(root, "stat"), stat);
      writeFileSync(join(root, "meminfo"), meminfo);
      mkdirSync(join(root, "77"));
      writeFileSync(join(root, "77", "stat"), processStat);
      expect(await createProcReader(root)([77, 78])).toEqual({
        cpu: { busy: 161, total: 1006 },
        memory: { totalBytes: 8_192_000_000, availableBytes: 2_048_000_000 },
        processes: new Map([[77, { ticks: 42, pages: 2500 }]]),
      });
    } finally {
      rmSync(root, { recursive: true });
    }
  });

  test("finds nothing where there is no /proc", async () => {
    expect(await createProcReader("/no-such-directory")([1])).toEqual({
      cpu: null,
      memory: null,
      processes: new Map(),
    });
  });
});

import { expect, test } from "bun:test";
import { createLogger, type Logger } from "#platform/log.ts";
import { countOpenFiles, readFileLimit, watchOpenFiles } from "#platform/process/open-files.ts";

const wanted = { files: 100, by: "serving.queueRequests" };

/** A watch of a process with a limit of 64, and what it logs. */
function watch(open: ReturnType<typeof countOpenFiles>, limit: number | null = 64) {
  const state = { open, nowMs: 0, warnings: [] as string[] };
  const warn = (_fields: object, text: string) => void state.warnings.push(text);
  const log = { ...createLogger("test", "silent"), warn } as unknown as Logger;
  const watched = watchOpenFiles(wanted, log, { limit, count: () => state.open, nowMs: () => state.nowMs });
  return { state, watched };
}

test("a limit below what the configuration admits is a warning at once", () => {
  const { state, watched } = watch(10);
  expect(state.warnings).toEqual([
    expect.stringMatching(
      /^this process may open 64 files.* but serving\.queueRequests admit 100: raise it with ulimit -n/,
    ),
  ]);
  expect(watched.check()).toEqual({
    status: "healthy",
    detail: "this process may open 64 files; serving.queueRequests admit 100",
  });
});

test("a limit that is high enough is none", () => {
  const { state, watched } = watch(10, 100);
  watched.look();
  expect([state.warnings, watched.check()]).toEqual([
    [],
    { status: "healthy", detail: "this process may open 100 files" },
  ]);
});

test.each([62, 64, "none-left"] as const)(
  "no file left (%p): one warning a minute with the limit, and health",
  (open) => {
    const { state, watched } = watch(61);
    watched.look();
    expect([state.warnings.length, watched.check().status]).toEqual([1, "healthy"]);
    state.open = open;
    for (state.nowMs = 5_000; state.nowMs < 65_000; state.nowMs += 5_000) watched.look();
    expect(state.warnings.slice(1)).toEqual([
      expect.stringMatching(
        /^all 64 files that this process may open are open, so no further connections are accepted: raise/,
      ),
    ]);
    expect(watched.check()).toMatchObject({ status: "degraded", detail: expect.stringContaining("all 64 files") });
    watched.look();
    expect(state.warnings.length).toBe(3);
    state.open = 20;
    state.nowMs += 60_000;
    expect(watched.check().status).toBe("healthy");
  },
);

test.each([
  { open: null, limit: 64 },
  { open: "none-left", limit: null },
] as const)("nothing is said of what is not known: $open of $limit", ({ open, limit }) => {
  const { state, watched } = watch(open, limit);
  const before = state.warnings.length;
  watched.look();
  expect([state.warnings.length, watched.check().status]).toEqual([before, "healthy"]);
});

test.if(process.platform === "linux")("this process has a limit and open files", () => {
  const [limit, open] = [readFileLimit(), countOpenFiles()];
  expect(limit).toBeGreaterThan(0);
  expect(open).toBeGreaterThan(2);
});

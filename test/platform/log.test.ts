import { expect, spyOn, test } from "bun:test";
import fs from "node:fs";
import { createLogger, newestEvents } from "#platform/log.ts";
import { withTrace } from "#platform/request-trace.ts";
import { steering } from "../fakes/hostile-text.ts";

/** Lines that a log writes on standard error while it does something. */
function linesOf(work: () => void): string[] {
  let text = "";
  using _stderr = spyOn(fs, "writeSync").mockImplementation(((descriptor: number, piece: string) => {
    expect(descriptor).toBe(2);
    text += piece;
    return Buffer.byteLength(piece);
  }) as typeof fs.writeSync);
  work();
  return text.split("\n").slice(0, -1);
}

test("a line is JSON with its time, level, component, message and fields, and lower levels are left out", () => {
  const log = createLogger("scaling", "info");
  const lines = linesOf(() => {
    log.debug("not wanted");
    log.warn({ replicas: 3 }, "scaled");
  });
  expect(lines).toHaveLength(1);
  const { time, ...rest } = JSON.parse(lines[0] ?? "") as Record<string, unknown>;
  expect(rest).toEqual({ level: "warn", component: "scaling", msg: "scaled", replicas: 3 });
  expect(new Date(String(time)).toISOString()).toBe(String(time));
});

test("a silent log says nothing, not even errors", () => {
  expect(linesOf(() => createLogger("scaling", "silent").error("broken"))).toEqual([]);
});

test("a line of a request names its trace", () => {
  const trace = { traceId: "a".repeat(32), spanId: "b".repeat(16) };
  const ports = { stage: () => undefined, annotate: () => undefined, answered: () => undefined };
  const log = createLogger("http", "info");
  const lines = linesOf(() => {
    withTrace({ ...trace, ...ports }, () => log.info("answered"));
    log.info("idle");
  }).map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines[0]).toMatchObject({ trace_id: trace.traceId, span_id: trace.spanId });
  expect(lines[1]).not.toHaveProperty("trace_id");
});

test("neither standard error nor the events that people are shown tell passwords or act on a terminal", () => {
  const log = createLogger("broker", "info");
  const url = "mqtts://fleet:s3cret@broker.example:8883";
  const lines = linesOf(() => log.error({ url, header: "Bearer abc.def" }, `no broker at ${url}\u001b[2J\u202e`));
  expect(lines[0]).not.toMatch(/s3cret|abc\.def/);
  expect(lines[0]).not.toMatch(steering);
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({ url: "mqtts://broker.example:8883", header: "Bearer ***" });
  expect(newestEvents().at(-1)).toEqual({
    ...{ time: expect.any(String), level: "error" },
    msg: "no broker at mqtts://broker.example:8883\u001b[2J\u202e",
  });
});

test("people are shown the newest 20 events of all components, the oldest first", () => {
  const [one, other] = [createLogger("one", "info"), createLogger("other", "info")];
  linesOf(() => {
    for (let event = 1; event <= 25; event += 1) (event % 2 === 0 ? one : other).info(`event ${event}`);
  });
  expect(newestEvents().map(({ msg }) => msg)).toEqual(Array.from({ length: 20 }, (_, index) => `event ${index + 6}`));
});

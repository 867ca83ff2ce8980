import { expect, test } from "bun:test";
import { encodeSpans, type RecordedRequest } from "#agent/serving/tracing/encode-spans.ts";
import { readSpans } from "../../../fakes/otlp-collector.ts";

const request: RecordedRequest = {
  traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
  spanId: "00f067aa0ba902b7",
  parent: undefined,
  name: "POST /x",
  startMs: 1_763_719_000_123.456,
  endMs: 1_763_719_000_133.5,
  failed: true,
  attributes: [],
  stages: [],
};
const encode = (requests: readonly RecordedRequest[]) => {
  let made = 0;
  return readSpans(
    encodeSpans(requests, { "service.name": "s" }, { name: "n", version: "v" }, () => {
      made += 1;
      return Buffer.from(made.toString(16).padStart(16, "0"), "hex");
    }),
  );
};

test("a request without stages, parent or attributes", () => {
  const [span, ...others] = encode([request]);
  expect(others).toEqual([]);
  expect(span).toMatchObject({
    name: "POST /x",
    parentSpanId: "",
    kind: 2,
    status: 2,
    resource: { "service.name": "s" },
  });
  expect(span?.startMs).toBeCloseTo(request.startMs, 2);
  expect(span?.endMs).toBeCloseTo(request.endMs, 2);
});

test.each([
  ["true", true, true],
  ["false", false, false],
  ["zero", 0, "0"],
  ["one byte", 127, "127"],
  ["two bytes", 128, "128"],
  ["31 bits", 2 ** 31 - 1, String(2 ** 31 - 1)],
  ["more than 31 bits", 2 ** 31, String(2 ** 31)],
  ["the largest integer", Number.MAX_SAFE_INTEGER, String(Number.MAX_SAFE_INTEGER)],
  ["a negative integer", -1, "-1"],
  ["a fraction", -0.125, -0.125],
  ["what is beyond integers", 1e300, 1e300],
  ["no text", "", ""],
  ["a text of several bytes a character", "机器人 🤖", "机器人 🤖"],
  ["a text of 127 bytes", "x".repeat(127), "x".repeat(127)],
  ["a text of 128 bytes", "x".repeat(128), "x".repeat(128)],
  ["a text larger than the first piece of memory", "y".repeat(100_000), "y".repeat(100_000)],
])("an attribute that is %s", (_name, value, expected) => {
  const [span] = encode([{ ...request, attributes: [{ before: 1 }, { key: value, after: "a" }] }]);
  expect(span?.attributes).toEqual({ before: "1", key: expected, after: "a" });
});

test("many requests with stages: every one under its own server span", () => {
  const stage = (name: "queue" | "infer") => ({ stage: name, startMs: 5, endMs: 6.5, attributes: { texts: 3 } });
  const parent = { traceId: "a".repeat(32), spanId: "b".repeat(16), sampled: true, traceState: "v=1" };
  const requests = Array.from({ length: 500 }, (_, i) => ({
    ...request,
    parent: i % 2 === 0 ? parent : undefined,
    spanId: `c${i.toString(16).padStart(15, "0")}`,
    stages: [stage("queue"), stage("infer")],
  }));
  const spans = encode(requests);
  expect(spans.length).toBe(1500);
  expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(1500);
  for (const [i, { spanId }] of requests.entries()) {
    const [server, queue, infer] = spans.slice(i * 3);
    const traceState = i % 2 === 0 ? "v=1" : "";
    expect(server).toMatchObject({ spanId, kind: 2, parentSpanId: i % 2 === 0 ? parent.spanId : "", traceState });
    expect(queue).toMatchObject({ name: "queue", parentSpanId: spanId, kind: 1, status: 0, traceState });
    expect(infer).toMatchObject({
      name: "infer",
      parentSpanId: spanId,
      startMs: 5,
      endMs: 6.5,
      attributes: { texts: "3" },
    });
  }
});

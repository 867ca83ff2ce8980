import { describe, expect, test } from "bun:test";
import { isSampled, readParentContext, writeTraceparent } from "#agent/serving/tracing/trace-context.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const spanId = "00f067aa0ba902b7";
const parent = { traceId, spanId, sampled: true, traceState: "" };

describe("readParentContext", () => {
  test.each([
    { name: "a sampled parent", traceparent: `00-${traceId}-${spanId}-01`, expected: parent },
    {
      name: "one that is not sampled",
      traceparent: `00-${traceId}-${spanId}-00`,
      expected: { ...parent, sampled: false },
    },
    { name: "flags not known yet", traceparent: `00-${traceId}-${spanId}-fe`, expected: { ...parent, sampled: false } },
    { name: "space around it", traceparent: ` 00-${traceId}-${spanId}-03\t`, expected: parent },
    { name: "a version to come", traceparent: `cc-${traceId}-${spanId}-01-what-comes`, expected: parent },
    { name: "a version to come, not longer", traceparent: `01-${traceId}-${spanId}-01`, expected: parent },
    { name: "a version to come, badly continued", traceparent: `cc-${traceId}-${spanId}-01.what`, expected: undefined },
    { name: "version 00 with more behind it", traceparent: `00-${traceId}-${spanId}-01-more`, expected: undefined },
    { name: "the version that is never one", traceparent: `ff-${traceId}-${spanId}-01`, expected: undefined },
    { name: "a trace of zeros", traceparent: `00-${"0".repeat(32)}-${spanId}-01`, expected: undefined },
    { name: "a span of zeros", traceparent: `00-${traceId}-${"0".repeat(16)}-01`, expected: undefined },
    { name: "capital letters", traceparent: `00-${traceId.toUpperCase()}-${spanId}-01`, expected: undefined },
    { name: "too short", traceparent: `00-${traceId.slice(1)}-${spanId}-01`, expected: undefined },
    { name: "empty", traceparent: "", expected: undefined },
    { name: "none", traceparent: undefined, expected: undefined },
  ])("$name", ({ traceparent, expected }) => {
    expect(readParentContext(traceparent, undefined)).toEqual(expected as typeof parent);
  });

  test.each([
    { name: "a state is handed on", tracestate: "a=1, b=2 ", expected: "a=1, b=2" },
    { name: "one that is too long is not", tracestate: `a=${"x".repeat(511)}`, expected: "" },
    { name: "one with control characters is not", tracestate: "a=\u0001", expected: "" },
    { name: "none", tracestate: undefined, expected: "" },
  ])("$name", ({ tracestate, expected }) => {
    expect(readParentContext(`00-${traceId}-${spanId}-01`, tracestate)?.traceState).toBe(expected);
  });
});

test("what is written can be read", () => {
  expect(readParentContext(writeTraceparent(traceId, spanId, true), "")).toEqual(parent);
  expect(readParentContext(writeTraceparent(traceId, spanId, false), "")).toEqual({ ...parent, sampled: false });
});

describe("isSampled", () => {
  const highest = "f".repeat(32);
  test.each([
    { name: "all", parent: undefined, traceId: highest, ratio: 1, expected: true },
    { name: "none", parent: undefined, traceId: "0".repeat(31).concat("1"), ratio: 0, expected: false },
    {
      name: "the lower half",
      parent: undefined,
      traceId: `${"f".repeat(19)}7${"f".repeat(12)}`,
      ratio: 0.5,
      expected: true,
    },
    {
      name: "not the upper half",
      parent: undefined,
      traceId: `${"0".repeat(19)}8${"0".repeat(12)}`,
      ratio: 0.5,
      expected: false,
    },
    { name: "as the client did", parent, traceId: highest, ratio: 0, expected: true },
    {
      name: "as the client did not",
      parent: { ...parent, sampled: false },
      traceId: highest,
      ratio: 1,
      expected: false,
    },
  ])("$name", ({ parent: from, traceId: id, ratio, expected }) => {
    expect(isSampled(from, id, ratio)).toBe(expected);
  });
});

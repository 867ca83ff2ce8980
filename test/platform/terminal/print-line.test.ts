import { afterAll, beforeEach, expect, mock, test } from "bun:test";
import * as fs from "node:fs";

const actual = { ...fs };
/** Text that arrived on each descriptor. */
let written: Record<number, string>;
/** Outcomes of the next writes: a number of bytes that are taken, or an error's code. */
let next: (number | string)[];
await mock.module("node:fs", () => ({
  ...actual,
  writeSync(descriptor: number, bytes: Uint8Array, from: number) {
    const outcome = next.shift() ?? bytes.length;
    if (typeof outcome === "string") throw Object.assign(new Error(`write failed: ${outcome}`), { code: outcome });
    const taken = bytes.subarray(from, from + outcome);
    written[descriptor] = (written[descriptor] ?? "") + new TextDecoder("latin1").decode(taken);
    return taken.length;
  },
}));
const { printLine, sayLine } = await import("#platform/terminal/print-line.ts");
afterAll(() => mock.module("node:fs", () => actual));

beforeEach(() => {
  written = {};
  next = [];
});

test("a line arrives whole on standard output, also where a full pipe takes it in pieces", () => {
  next = [3, "EAGAIN", "EAGAIN", 1];
  expect(printLine("four agents")).toBe(true);
  expect(printLine()).toBe(true);
  expect(written).toEqual({ 1: "four agents\n\n" });
});

test("a reader that has stopped reading ends the output without an error", () => {
  next = [4, "EPIPE"];
  expect(printLine("one line of many")).toBe(false);
  expect(written).toEqual({ 1: "one " });
});

test.each(["ENOSPC", "EIO", "EBADF"])("output that is lost by %s is an error that keeps its cause", (code) => {
  next = [code];
  let error: Error | null = null;
  try {
    printLine("report");
  } catch (caught) {
    error = caught as Error;
  }
  expect(error?.message).toBe("standard output can't be written to");
  expect(error?.cause).toMatchObject({ code });
});

test("an agent's text acts on no terminal, and JSON keeps its value", () => {
  const name = "board\u001b[2J\u202e\u0007";
  printLine(name);
  expect(written[1]).toBe("board\\u001b[2J\\u202e\\u0007\n");
  written = {};
  printLine(JSON.stringify({ name, list: [1] }, null, 2));
  expect(JSON.parse(written[1] ?? "")).toEqual({ name, list: [1] });
  expect(written[1]).not.toContain("\u001b");
});

test("a complaint goes to standard error, without passwords and with values that can be read", () => {
  sayLine("broker", "mqtts://fleet:s3cret@broker.example:8883", "answered", { code: 5 }, "\u001b[31m");
  expect(written).toEqual({ 2: "broker mqtts://broker.example:8883 answered {\n  code: 5,\n} \\u001b[31m\n" });
});

test("a complaint that nobody can hear is no failure", () => {
  next = ["EPIPE"];
  expect(sayLine("no config")).toBeUndefined();
  expect(written).toEqual({});
});

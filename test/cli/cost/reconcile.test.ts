import { afterAll, afterEach, expect, spyOn, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCli } from "#cli/run/run-cli.ts";

const directory = mkdtempSync(join(tmpdir(), "thormesh-bill-"));
const asked: string[] = [];
const rows = (costs: Readonly<Record<string, number>>) =>
  Object.fromEntries(Object.entries(costs).map(([name, totalCost]) => [name, { name, start: "", end: "", totalCost }]));
const server = Bun.serve({
  ...{ hostname: "127.0.0.1", port: 0 },
  fetch(request) {
    asked.push(new URL(request.url).search);
    return Response.json({ data: [rows({ eu: 1, "eu/__idle__": 0.5, "=us": 2 })] });
  },
});
const written = spyOn(process.stdout, "write").mockImplementation(() => true);
const printed = spyOn(console, "log").mockImplementation(() => {});
afterEach(() => {
  written.mockClear();
  printed.mockClear();
});
afterAll(() => {
  server.stop(true);
  written.mockRestore();
  printed.mockRestore();
  rmSync(directory, { recursive: true, force: true });
});

const bill = join(directory, "bill.csv");
const run = async (text: string, ...options: string[]) => {
  await Bun.write(bill, text);
  return runCli(["cost", "reconcile", bill, "--month", "2026-11", "--url", server.url.href, ...options]);
};
const head = "BilledCost,ChargePeriodStart,RegionId\n";

test("lines that only one side has end with 1; idle time is counted with its region", async () => {
  expect(await run(`${head}1.5,2026-11-03T00:00:00Z,eu\n2,2026-11-03T00:00:00Z,us\n`)).toBe(1);
  expect(asked[0]).toContain("window=1793491200%2C1796083200");
  const text = printed.mock.calls.flat().join("\n");
  expect(text).toMatch(/us +2\.00 +0\.00 +2\.00 +only-billed/);
  expect(text).toMatch(/eu +1\.50 +1\.50 +0\.00 +agrees/);
});

test("as CSV it has no formula, and one that differs ends with 1", async () => {
  expect(await run(`${head}1.5,2026-11-03T00:00:00Z,eu\n`, "--format", "csv")).toBe(1);
  expect(written.mock.calls.flat().join("")).toContain("\r\n'=us,0,2,-2,only-own\r\n");
  expect(await run(`${head}1.5,2026-11-03T00:00:00Z,eu\n2,2026-11-03T00:00:00Z,=us\n`)).toBe(0);
});

test("charges of other months are told", async () => {
  await run(`${head}1.5,2026-11-03T00:00:00Z,eu\n2,2026-10-03T00:00:00Z,eu\n`);
  expect(printed.mock.calls.flat().join("\n")).toContain("1 of 2 charges belong to other months");
});

import { expect, spyOn, test } from "bun:test";
import { join } from "node:path";
import { readTraces } from "#cli/read-traces.ts";
import { commands } from "#cli/run/commands.ts";
import { UsageError } from "#platform/errors.ts";
import { temporaryDirectory } from "../e2e/program.ts";

test.each(["backtest", "power", "forecast", "demo"])("%s takes a column and a query to Prometheus", async (name) => {
  const command = await commands[name]?.();
  expect(Object.keys(command?.options ?? {})).toEqual(
    expect.arrayContaining(["column", "unit", "prometheus", "query", "from", "to", "timeout", "prometheus-user"]),
  );
});

test("a column of a file, or a series of Prometheus, but not both and not neither", async () => {
  const directory = temporaryDirectory();
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: () =>
      Response.json({
        status: "success",
        data: {
          resultType: "matrix",
          result: [{ metric: {}, values: [0, 60, 120].map((s) => [1_767_571_200 + s, "2"]) }],
        },
      }),
  });
  try {
    const path = join(directory.path, "t.csv");
    await Bun.write(path, "time,a,b\n2026-01-05T00:00:00Z,1,4\n2026-01-05T00:01:00Z,2,5\n");
    const [file] = await readTraces([path], { column: "b" });
    expect(file.trace.counts).toEqual([4, 5]);
    const [rates] = await readTraces([path], { column: "b", unit: "per-second" });
    expect(rates.trace.counts).toEqual([240, 300]);
    const range = { from: "2026-01-05T00:00Z", to: "2026-01-05T00:02Z" };
    const [asked] = await readTraces(undefined, { prometheus: server.url.href, query: "q", ...range });
    expect(asked.trace).toMatchObject({ stepMs: 60_000, counts: [120, 120, 120] });
    expect(readTraces([path], { prometheus: server.url.href, query: "q" })).rejects.toThrow("got both");
    expect(readTraces(undefined, { prometheus: server.url.href, query: "q", column: "b" })).rejects.toThrow("--column");
    expect(readTraces(undefined, { prometheus: server.url.href, query: "q", unit: "per-second" })).rejects.toThrow(
      "--unit works only with the file of a trace",
    );
    for (const name of ["query", "from", "to", "timeout", "prometheus-user"])
      expect(readTraces([path], { [name]: "1" })).rejects.toThrow(`--${name} works only with --prometheus`);
    expect(readTraces(undefined, {})).rejects.toThrow(UsageError);
    expect(readTraces([path, ""], { column: "b" })).rejects.toThrow("expected FILE or FILE,FILE");
    expect(readTraces(undefined, { prometheus: server.url.href, query: "q", to: "2026-02-30" })).rejects.toThrow(
      "--to: ",
    );
  } finally {
    await server.stop(true);
    directory.remove();
  }
});

test("the values of a counter, from a file or from Prometheus, are said to be no traffic", async () => {
  const directory = temporaryDirectory();
  const times = Array.from({ length: 61 }, (_, minute) => 1_767_571_200 + 60 * minute);
  const values = times.map((s, minute): [number, string] => [s, String(5_000 + 3 * minute)]);
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: () => Response.json({ status: "success", data: { resultType: "matrix", result: [{ metric: {}, values }] } }),
  });
  const said = spyOn(console, "error").mockImplementation(() => {});
  try {
    const path = join(directory.path, "t.csv");
    await Bun.write(path, values.map((line) => line.join(",")).join("\n"));
    const range = { from: "2026-01-05T00:00Z", to: "2026-01-05T01:00Z" };
    await readTraces([path], {});
    await readTraces(undefined, { prometheus: server.url.href, query: "requests_total", ...range });
    expect(said.mock.calls.flat()).toEqual([
      expect.stringMatching(/^t.csv: its values never fall/),
      expect.stringMatching(/^Prometheus: requests_total: its values never fall/),
    ]);
  } finally {
    said.mockRestore();
    await server.stop(true);
    directory.remove();
  }
});

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTrainingProgress } from "#cli/forecast/training-progress.ts";
import { loadModel, modelFilesIn } from "#forecast/lstm/model-files.ts";
import { startBackend } from "#forecast/lstm/tensorflow.ts";
import { programCommand } from "../../e2e/program.ts";

const root = new URL("../../../", import.meta.url).pathname;
let directory: string;
let trace: string;

function wave(minutes: number, stepMs = 60_000): string {
  const lines = Array.from({ length: minutes }, (_, minute) => {
    const time = new Date(Date.UTC(2026, 0, 5) + minute * stepMs).toISOString();
    return `${time},${Math.round(100 + 80 * Math.sin(minute / 6))}`;
  });
  return `timestamp,value\n${lines.join("\n")}\n`;
}

async function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = Bun.spawn([...programCommand, "forecast", ...args], {
    cwd: root,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { code: await child.exited, stdout, stderr };
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "thormesh-forecast-"));
  trace = join(directory, "wave.csv");
  await writeFile(trace, wave(900));
  await writeFile(join(directory, "five-minutes.csv"), wave(900, 300_000));
  await writeFile(join(directory, "short.csv"), wave(60));
  await writeFile(join(directory, "bad.csv"), "timestamp,value\nyesterday,3\n");
  await writeFile(join(directory, "a-file"), "");
});

afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

test("train writes a model that loads and a card, and prints the card as JSON", async () => {
  const out = join(directory, "new", "model");
  const args = ["train", "--trace", trace, "--out", out, "--units", "tiny", "--epochs", "2", "--stride", "10"];
  const { code, stdout, stderr } = await run(...args, "--seed", "3", "--licence", "none", "--json");
  expect(stderr.match(/^epoch [12]\/2: loss [\d.]+, validation [\d.]+/gm)).toHaveLength(2);
  expect(code).toBe(0);
  const card = JSON.parse(stdout);
  expect(card).toMatchObject({ data: { file: "wave.csv", licence: "none", source: null }, training: { seed: 3 } });
  expect(card.errors).toHaveLength(3);
  const names = ["model-card.json", "model-card.md", "model.json", "scaling.json", "weights.bin"];
  expect((await readdir(out)).sort()).toEqual(names);
  await startBackend("wasm");
  (await loadModel(modelFilesIn(out))).dispose();
});

test("backtest prints a table for each trace, with the network where the horizon is not too far for it", async () => {
  const traces = `${trace},${join(directory, "five-minutes.csv")}`;
  const { code, stdout, stderr } = await run("backtest", "--trace", traces, "--origins", "40", "--horizon", "15");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const [first, second] = stdout.split("\n\n") as [string, string];
  expect(first).toStartWith("wave.csv: ");
  expect(first).toMatch(/^lstm +\d+\.\d %/m);
  expect(second).toStartWith("five-minutes.csv: ");
  expect(second).toContain("3 steps of 300 s");
  expect(second).toMatch(/^lstm +\d+\.\d %/m);
  expect(second).toMatch(/^ridge\+ +\d+\.\d %/m);
});

test("backtest prints JSON", async () => {
  const args = ["--trace", trace, "--models", "simple", "--horizon", "5", "--origins", "40", "--json"];
  const { code, stdout } = await run("backtest", ...args);
  expect(code).toBe(0);
  const [report] = JSON.parse(stdout);
  expect(report).toMatchObject({ trace: "wave.csv", stepMs: 60_000, steps: 5 });
  expect(report.rows.map(({ model }: { model: string }) => model)).toContain("champion");
});

test("backtest writes a report that needs nothing else, of the model in a directory", async () => {
  const out = join(directory, "judged");
  const short = ["--units", "tiny", "--epochs", "1", "--stride", "20"];
  expect((await run("train", "--trace", trace, "--out", out, ...short)).code).toBe(0);
  const page = join(directory, "report.html");
  const args = ["--trace", trace, "--origins", "40", "--model-dir", out, "--html", page, "--json"];
  const { code, stdout, stderr } = await run("backtest", ...args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: `report written to ${page}\n` });
  const [report] = JSON.parse(stdout);
  expect(report).not.toHaveProperty("replay");
  const html = await Bun.file(page).text();
  expect(html).toStartWith("<!doctype html>");
  expect(html).toContain("wave.csv");
  await writeFile(join(out, "weights.bin"), "damaged");
  const damaged = await run("backtest", ...args);
  expect(damaged.code).toBe(2);
  expect(damaged.stderr).toContain("contains no usable model: weights.bin does not match the checksum");
});

test("train reads from Prometheus, with a bearer token from the environment", async () => {
  const headers: (string | null)[] = [];
  await using server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request) {
      headers.push(request.headers.get("authorization"));
      const { searchParams } = new URL(request.url);
      const [from, to] = [Number(searchParams.get("start")), Number(searchParams.get("end"))];
      const values: [number, string][] = [];
      for (let timeS = from; timeS <= to; timeS += 60) values.push([timeS, String(2 + Math.sin(timeS / 360))]);
      return Response.json({ status: "success", data: { resultType: "matrix", result: [{ metric: {}, values }] } });
    },
  });
  const out = join(directory, "from-prometheus");
  const child = Bun.spawn(
    [
      process.execPath,
      "main.ts",
      "forecast",
      "train",
      "--prometheus",
      `http://127.0.0.1:${server.port}`,
      "--query",
      "sum(rate(x[1m]))",
    ]
      .concat(["--from", "2026-01-05T00:00:00Z", "--to", "2026-01-05T15:00:00Z", "--out", out])
      .concat(["--units", "tiny", "--epochs", "1", "--stride", "20", "--json"]),
    { cwd: root, env: { ...process.env, THORMESH_PROMETHEUS_TOKEN: "secret" }, stdout: "pipe", stderr: "pipe" },
  );
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  expect({ code: await child.exited, stderr }).toMatchObject({ code: 0 });
  expect(headers).toEqual(["Bearer secret"]);
  expect(JSON.parse(stdout).data).toMatchObject({
    file: "Prometheus: sum(rate(x[1m]))",
    minutes: 901,
    missingMinutes: 0,
  });
  expect(stdout + stderr).not.toContain("secret");
});

test("a backtest that fails says why once, and leaves no report", async () => {
  const page = join(directory, "none.html");
  const { code, stderr } = await run("backtest", "--trace", join(directory, "short.csv"), "--html", page);
  expect(code).toBe(2);
  expect(stderr.match(/too little traffic to judge/g)).toHaveLength(1);
  expect(await Bun.file(page).exists()).toBe(false);
});

const valid = () => ["train", "--trace", trace, "--out", join(directory, "unused")];
test.each([
  { name: "no sub-command", args: () => [], says: 'expected "train" or "backtest", got nothing' },
  { name: "another sub-command", args: () => ["guess"], says: 'expected "train" or "backtest", got "guess"' },
  { name: "backtest without a trace", args: () => ["backtest"], says: "--trace is required" },
  {
    name: "backtest of too little",
    args: () => ["backtest", "--trace", join(directory, "short.csv")],
    says: "short.csv: too little traffic to judge",
  },
  { name: "an empty trace name", args: () => ["backtest", "--trace", `${trace},`], says: "--trace: expected FILE" },
  {
    name: "a model that there is none of",
    args: () => ["backtest", "--trace", trace, "--models", "crystal-ball"],
    says: "--models: expected one of all, simple",
  },
  {
    name: "a report that can't be written",
    args: () => ["backtest", "--trace", trace, "--html", join(directory, "no", "where.html")],
    says: "where.html can't be written",
  },
  {
    name: "a model directory that is not there",
    args: () => ["backtest", "--trace", trace, "--model-dir", join(directory, "nowhere")],
    says: "scaling.json can't be read",
  },
  {
    name: "a network where none can forecast",
    args: () => ["backtest", "--trace", trace, "--horizon", "16", "--model-dir", directory],
    says: "--model-dir: the network forecasts at most 15 steps",
  },
  { name: "no trace", args: () => ["train", "--out", directory], says: "--trace is required" },
  {
    name: "both sources",
    args: () => [...valid(), "--prometheus", "http://127.0.0.1:1"],
    says: "expected --trace or --prometheus, got both",
  },
  {
    name: "Prometheus without a query",
    args: () => ["train", "--out", directory, "--prometheus", "http://127.0.0.1:1"],
    says: "--query is required",
  },
  {
    name: "an address that is none",
    args: () => ["train", "--out", directory, "--prometheus", "prometheus:9090", "--query", "up"],
    says: '--prometheus: expected an address like http://prometheus:9090, got "prometheus:9090"',
  },
  {
    name: "a user without a password",
    args: () => [
      "train",
      "--out",
      directory,
      "--prometheus",
      "http://127.0.0.1:1",
      "--query",
      "up",
      "--prometheus-user",
      "me",
    ],
    says: "expected the password in THORMESH_PROMETHEUS_PASSWORD",
  },
  {
    name: "an unknown unit",
    args: () => [...valid(), "--unit", "per-day"],
    says: "--unit: expected one of per-step, per-second",
  },
  { name: "no place for the result", args: () => ["train", "--trace", trace], says: "--out is required" },
  {
    name: "a trace that is not there",
    args: () => ["train", "--trace", "nowhere.csv", "--out", directory],
    says: "--trace nowhere.csv can't be read",
  },
  {
    name: "a trace that is none",
    args: () => ["train", "--trace", join(directory, "bad.csv"), "--out", directory],
    says: "bad.csv, line 2",
  },
  {
    name: "another step",
    args: () => ["train", "--trace", join(directory, "five-minutes.csv"), "--out", directory],
    says: "steps of 300 s",
  },
  {
    name: "too little",
    args: () => ["train", "--trace", join(directory, "short.csv"), "--out", directory],
    says: "too few complete windows",
  },
  {
    name: "a file as directory",
    args: () => ["train", "--trace", trace, "--out", join(directory, "a-file")],
    says: "can't be written to",
  },
  {
    name: "an unknown size",
    args: () => [...valid(), "--units", "huge"],
    says: "--units: expected one of full, small, tiny",
  },
  { name: "an unknown backend", args: () => [...valid(), "--backend", "gpu"], says: "--backend: expected one of" },
  { name: "no epochs", args: () => [...valid(), "--epochs", "0"], says: "--epochs: expected a whole number from 1" },
  { name: "an unknown zone", args: () => [...valid(), "--time-zone", "Mars/Olympus"], says: "--time-zone: expected" },
  { name: "a holiday that is no day", args: () => [...valid(), "--holidays", "2026-12-25,soon"], says: 'got "soon"' },
  {
    name: "a holiday that is no day of its month",
    args: () => [...valid(), "--holidays", "2026-02-30"],
    says: 'got "2026-02-30"',
  },
])("$name is bad usage", async ({ args, says }) => {
  const { code, stderr } = await run(...args());
  expect(stderr).toContain(says);
  expect(code).toBe(2);
});

test("on a terminal a bar moves within an epoch; elsewhere there are only the epochs' lines", () => {
  const report = {
    epoch: 1,
    trainingLoss: 0.5,
    validationLoss: 0.4,
    learningRate: 1,
    elapsedMs: 2_000,
    outcome: "fine",
  };
  const show = (isTTY: boolean) => {
    let written = "";
    const output = {
      isTTY,
      columns: 200,
      write: (text: string) => {
        written += text;
        return true;
      },
      on: () => output,
      removeListener: () => output,
    };
    const progress = createTrainingProgress(output as unknown as NodeJS.WriteStream, 3);
    progress.onBatch(1, 1, 10, 0.7);
    progress.onBatch(1, 2, 10, 0.6);
    progress.onEpoch(report);
    progress.finish();
    return written;
  };
  const line = "epoch 1/3: loss 0.50000, validation 0.40000, 2 s, fine\n";
  expect(show(false)).toBe(line);
  expect(show(true)).toContain("10%");
  expect(show(true)).toContain(line);
});

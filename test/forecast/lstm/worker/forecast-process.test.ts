import { afterEach, describe, expect, spyOn, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { createForecaster } from "#forecast/create-forecaster.ts";
import { ForecastConfig } from "#forecast/forecast-config.ts";
import { modelFileNames } from "#forecast/lstm/model-files.ts";
import { ForecastProcess, type ForecastProcessOptions } from "#forecast/lstm/worker/forecast-process.ts";
import type { ForecastWorker, ForecastWorkerState } from "#forecast/lstm/worker/forecast-worker.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { decideRestart, forecastRestartPolicy } from "#platform/process/decide-restart.ts";

const log = pino({ level: "silent" });
const committed = new URL("../../../../models/traffic-lstm/", import.meta.url).pathname;
const features = new Float32Array(300);

/** A worker with its states as a queue that can be waited on. */
class Watched {
  readonly worker: ForecastWorker;
  readonly #seen: ForecastWorkerState[] = [];
  #wake = () => {};
  constructor(options: Partial<ForecastProcessOptions> = {}) {
    this.worker = new ForecastProcess({
      modelDir: null,
      timeoutMs: 30_000,
      log,
      onState: (state) => {
        this.#seen.push(state);
        this.#wake();
      },
      ...options,
    });
    running.push(this.worker);
  }
  /** The next state of this kind among those not yet taken. */
  async next<K extends ForecastWorkerState["kind"]>(kind: K): Promise<Extract<ForecastWorkerState, { kind: K }>> {
    for (;;) {
      const state = this.#seen.shift();
      if (state?.kind === kind) return state as Extract<ForecastWorkerState, { kind: K }>;
      if (state === undefined) await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
const running: ForecastWorker[] = [];
const directories: string[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((worker) => worker.stop()));
  await Promise.all(directories.splice(0).map((directory) => rm(directory, { recursive: true, force: true })));
});

async function copyOfModel(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "thormesh-model-"));
  directories.push(directory);
  for (const name of modelFileNames) await Bun.write(join(directory, name), Bun.file(join(committed, name)));
  return directory;
}

/** Tells if a process runs; false for one that ended and was not reaped yet. */
async function alive(pid: number): Promise<boolean> {
  const stat = await Bun.file(`/proc/${pid}/stat`)
    .text()
    .catch(() => "");
  return stat !== "" && !stat.includes(") Z ");
}

test("a process that says it can't be used is lost, was never ready, and is started again soon", async () => {
  const timeouts = spyOn(globalThis, "setTimeout");
  const kinds: string[] = [];
  const lost = Promise.withResolvers<string>();
  const worker = new ForecastProcess({
    ...{ modelDir: null, timeoutMs: 30_000, log },
    command: [
      process.execPath,
      "-e",
      `process.send({ kind: "unusable", reason: "no weights" }); setInterval(() => {}, 1e6)`,
    ],
    onState(state) {
      kinds.push(state.kind);
      if (state.kind === "lost") lost.resolve(state.reason);
    },
  });
  running.push(worker);
  worker.start();
  expect(await lost.promise).toContain("can't be used: no weights");
  expect(kinds).not.toContain("ready");
  const delaysMs = timeouts.mock.calls.map(([, delayMs]) => delayMs);
  timeouts.mockRestore();
  expect(delaysMs).toContain(decideRestart(1, forecastRestartPolicy).delayMs);
});

describe("the real process with the committed weights", () => {
  test("forecasts a steady hour near its rate, at any scale", async () => {
    const watched = new Watched();
    const forecaster = createForecaster({
      config: parseConfig(ForecastConfig, {}, "test"),
      log,
      worker: watched.worker,
    });
    await forecaster.start();
    const ready = await watched.next("ready");
    expect(forecaster.describe()).toMatchObject({ model: "lstm", backend: ready.backend });
    for (const scale of [0.05, 1, 100_000]) {
      const history = Array.from({ length: 60 }, (_, minute) => ({
        minuteStartMs: Date.UTC(2026, 0, 5, 12, minute),
        qps: scale * (1 + 0.1 * Math.sin(minute)),
      }));
      const report = await forecaster.forecast(history, Date.UTC(2026, 0, 5, 13));
      expect(report).toMatchObject({ model: "lstm", reason: "60 minutes recorded" });
      expect(report.qps).toHaveLength(15);
      for (const rate of report.qps) {
        expect(rate / scale).toBeGreaterThan(0.7);
        expect(rate / scale).toBeLessThan(1.3);
      }
    }
    await forecaster.stop();
    expect(await alive(ready.pid)).toBe(false);
    const stopped = await forecaster.forecast([{ minuteStartMs: 0, qps: 1 }], 60_000);
    expect(stopped.qps).toEqual(new Array(15).fill(1));
  });

  test("killed, it is started again by itself; what it was asked meanwhile fails with the reason", async () => {
    const watched = new Watched();
    watched.worker.start();
    const first = await watched.next("ready");
    process.kill(first.pid, "SIGSTOP"); // so that the question is still open when it dies
    const asked = watched.worker.run(features);
    process.kill(first.pid, "SIGKILL");
    await expect(asked).rejects.toThrow("the forecasting process was ended by SIGKILL");
    expect(await watched.next("lost")).toEqual({
      kind: "lost",
      reason: "the forecasting process was ended by SIGKILL",
    });
    const second = await watched.next("ready");
    expect(second.pid).not.toBe(first.pid);
    expect(await watched.worker.run(features)).toHaveLength(15);
  });

  test("one that a signal stops is given up on, then replaced", async () => {
    const hangs: string[] = [];
    const watched = new Watched({ timeoutMs: 50, onHang: (reason) => hangs.push(reason) });
    watched.worker.start();
    const first = await watched.next("ready");
    process.kill(first.pid, "SIGSTOP");
    await expect(watched.worker.run(features)).rejects.toThrow("no forecast within 50 ms");
    await watched.next("lost");
    expect((await watched.next("ready")).pid).not.toBe(first.pid);
    expect(hangs).toEqual(["was stopped by a signal and not resumed: killed"]);
  });

  test("damaged weights: the program's own serve, and the description says why", async () => {
    const modelDir = await copyOfModel();
    const weights = new Uint8Array(await Bun.file(join(modelDir, "weights.bin")).arrayBuffer());
    weights[0]! ^= 1;
    await writeFile(join(modelDir, "weights.bin"), weights);
    const watched = new Watched({ modelDir });
    const config = parseConfig(ForecastConfig, { modelDir }, "test");
    const forecaster = createForecaster({ config, log, worker: watched.worker });
    await forecaster.start();
    const { reason } = await watched.next("ready");
    const says = `the model in ${modelDir} can't be used (weights.bin does not match the checksum in scaling.json): using the built-in one`;
    expect(reason).toStartWith(says);
    const history = Array.from({ length: 60 }, (_, minute) => ({ minuteStartMs: minute * 60_000, qps: 4 }));
    expect(await forecaster.forecast(history, 3_600_000)).toMatchObject({ model: "lstm" });
    expect(forecaster.describe()).toMatchObject({ model: "lstm", reason });
  });

  test("weights of one's own directory are loaded", async () => {
    const watched = new Watched({ modelDir: await copyOfModel() });
    watched.worker.start();
    await watched.next("ready");
    expect(await watched.worker.run(features)).toHaveLength(15);
  });

  test("ends when its parent is killed", async () => {
    const script = `
      import pino from "pino";
      import { ForecastProcess } from "#forecast/lstm/worker/forecast-process.ts";
      new ForecastProcess({ modelDir: null, timeoutMs: 60_000, log: pino({ level: "silent" }), onState(state) {
        if (state.kind === "ready") console.log(state.pid);
      } }).start();`;
    const root = new URL("../../../../", import.meta.url).pathname;
    const parent = Bun.spawn([process.execPath, "-e", script], { cwd: root, stdout: "pipe", stderr: "inherit" });
    const reader = parent.stdout.getReader();
    const pid = Number(new TextDecoder().decode((await reader.read()).value));
    expect(await alive(pid)).toBe(true);
    parent.kill("SIGKILL");
    await parent.exited;
    // Its parent is gone, so that its end can't be awaited.
    while (await alive(pid)) await Bun.sleep(10);
  });
});

describe("another program in its place", () => {
  test("one that can't be started is lost, not thrown", async () => {
    const watched = new Watched({ command: ["/nowhere/thormesh"] });
    watched.worker.start();
    expect((await watched.next("lost")).reason).toContain("can't be started");
    await expect(watched.worker.run(features)).rejects.toThrow("the forecasting process is lost");
  });

  test("one that ends at once is lost with its exit code, and tried again", async () => {
    const watched = new Watched({ command: [process.execPath, "-e", "process.exit(3)"] });
    watched.worker.start();
    expect((await watched.next("lost")).reason).toBe("the forecasting process ended with 3");
    expect((await watched.next("lost")).reason).toBe("the forecasting process ended with 3");
  });

  test("stopping ends the waiting for a restart, and starting again works", async () => {
    const watched = new Watched({ command: [process.execPath, "-e", "process.exit(3)"] });
    watched.worker.start();
    await watched.next("lost");
    await watched.worker.stop();
    expect(watched.worker.state()).toEqual({ kind: "stopped" });
    watched.worker.start();
    expect((await watched.next("lost")).reason).toBe("the forecasting process ended with 3");
  });
});

describe("a process that does not behave is killed and started again", () => {
  const ready = "process.send({ kind: 'ready', backend: 'wasm', reason: '', problem: null, loadMs: 1 });";
  const stays = "setInterval(() => {}, 1000); process.on('disconnect', () => process.exit(0));";
  test.each([
    { name: "is never ready", code: stays, hangs: true },
    { name: "stops itself at its start", code: "process.kill(process.pid, 'SIGSTOP');", hangs: true },
    { name: "never answers", code: `process.on("message", () => {}); ${ready} ${stays}`, hangs: true },
    {
      name: "stops itself when asked",
      code: `process.on("message", () => process.kill(process.pid, "SIGSTOP")); ${ready}`,
      hangs: true,
    },
    {
      name: "sends an unknown message",
      code: `process.on("message", () => process.send({ kind: "what" })); ${ready}`,
      hangs: false,
    },
    { name: "says null", code: `process.on("message", () => process.send(null)); ${ready}`, hangs: false },
    { name: "says a text", code: `process.on("message", () => process.send("garbage")); ${ready}`, hangs: false },
  ])("$name", async ({ code, hangs }) => {
    const reasons: string[] = [];
    const watched = new Watched({
      timeoutMs: 20,
      startMs: 2_000,
      command: [process.execPath, "-e", code],
      onHang: (reason) => reasons.push(reason),
    });
    watched.worker.start();
    if (code.includes("ready")) {
      await watched.next("ready");
      await expect(watched.worker.run(features)).rejects.toThrow();
    }
    await watched.next("lost");
    expect(reasons).toHaveLength(hangs ? 1 : 0);
    await watched.next("starting");
  });
});

import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { buildLstm } from "#forecast/lstm/lstm-model.ts";
import { lstmShapes } from "#forecast/lstm/lstm-shapes.ts";
import { serializeModel, writeFilesAtomically } from "#forecast/lstm/model-files.ts";
import { startBackend, tf } from "#forecast/lstm/tensorflow.ts";
import type { TrainingStatus } from "#forecast/night/training-status.ts";
import { createClock } from "#platform/clock.ts";
import { minuteMs } from "#platform/time.ts";
import type { ForecastReport } from "#protocol/messages.ts";
import { fastClock } from "../fakes/fast-clock.ts";
import { eventually, type Program, startProgram, temporaryDirectory } from "./program.ts";
import { writeRecordedTraffic } from "./recorded-traffic.ts";

let directory: ReturnType<typeof temporaryDirectory>;
let agent: Program | undefined;
let feeding = false;

beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(async () => {
  feeding = false;
  await agent?.stop("SIGKILL");
  directory.remove();
});

/** Noise around a level, the same in each run: its mean, which a trained network learns, is the best forecast. */
const textsAt = (atMs: number) =>
  20 + Number(BigInt.asUintN(16, Bun.hash.wyhash(`${Math.floor(atMs / minuteMs)}`)) % 41n);

async function writeBadModel(path: string): Promise<void> {
  await startBackend("wasm");
  const network = buildLstm(lstmShapes.tiny, 1);
  network.setWeights(network.getWeights().map((weight) => tf.randomNormal(weight.shape, 0, 1, "float32", 3)));
  await mkdir(path, { recursive: true });
  await writeFilesAtomically(path, await serializeModel(network));
  network.dispose();
}

test("a bad model loses its place among the forecasts; one that the agent trains at night takes it, and is there after a restart", async () => {
  const modelDir = join(directory.path, "bad");
  const stateDir = join(directory.path, "state");
  await mkdir(stateDir);
  await writeBadModel(modelDir);
  // A minute of the agent's clock takes a twentieth of a second, longer on a busy machine; training begins when two and a half hours more have
  // been recorded.
  const clockConfig = fastClock(1_200, Date.UTC(2026, 0, 5, 20, 30));
  const clock = createClock(clockConfig);
  const recordedMinutes = 1_200;
  writeRecordedTraffic(stateDir, recordedMinutes, clockConfig.startMs, textsAt);
  const config = {
    id: "alone",
    stateDir,
    broker: { url: "mqtt://127.0.0.1:1" },
    serving: { port: 0, threads: 1, cacheBytes: 0, grpc: { enabled: false } },
    forecast: {
      modelDir,
      training: {
        window: "00:00-00:00",
        minDays: (recordedMinutes + 150) / 1_440,
        maxMinutes: (0.5 * 1_200) / clockConfig.speed,
        units: "tiny",
        priority: "normal",
      },
    },
    power: { board: "none" },
    clock: clockConfig,
  };
  await Bun.write(join(directory.path, "agent.json"), JSON.stringify(config));
  const start = async () => {
    agent = startProgram(["agent", "--config", "agent.json", "--listen", "127.0.0.1:0"], directory.path);
    return JSON.parse(await agent.untilLogged('"msg":"agent started"')).url as string;
  };
  const url = await start();
  const ask = async <T>(path: string) => (await (await fetch(`${url}${path}`)).json()) as T;

  /** Keeps up the traffic with equal texts, of which one is computed: those in the cache would be no demand. */
  const feed = async () => {
    feeding = true;
    for (let doneMs = clock.nowMs(); feeding; ) {
      const nowMs = clock.nowMs();
      const texts = Math.min(500, Math.round((textsAt(nowMs) * (nowMs - doneMs)) / minuteMs));
      if (texts > 0) {
        doneMs = nowMs;
        const body = JSON.stringify({ inputs: new Array(texts).fill("the gripper lost the part") });
        const init = { method: "POST", headers: { "content-type": "application/json" }, body };
        await (await fetch(`${url}/api/v1/embed`, init)).arrayBuffer();
      }
      await Bun.sleep(20);
    }
  };
  const fed = feed();
  interface Answer {
    readonly forecast: ForecastReport | null;
    readonly forecaster: { readonly model: string };
  }
  const forecast = () => ask<Answer>("/api/v1/forecast");
  const share = ({ forecast: made }: Answer) => made?.shares?.["lstm"] ?? 0;

  // The bad network forecasts until it can be judged; then it has no share.
  const from = await eventually(forecast, (answer) => answer.forecaster.model === "lstm" && answer.forecast !== null);
  const judgedMs = (from.forecast?.madeAtMs as number) + 45 * minuteMs;
  const chosen = ({ forecast: made }: Answer) => made?.shares !== undefined && made.madeAtMs >= judgedMs;
  expect(share(await eventually(forecast, chosen))).toBe(0);
  const training = () => ask<TrainingStatus>("/api/v1/forecast/training");
  const { last, activeModel } = await eventually(training, (status) => status.last !== null);
  expect(last).toMatchObject({ kind: "promoted", reason: expect.stringMatching(/^WAPE .* of the model in service/) });
  expect(activeModel).toStartWith(join(stateDir, "forecast-models"));
  expect(await (await fetch(`${url}/metrics`)).text()).toContain(
    'thormesh_forecast_trainings_total{outcome="promoted"} 1\n',
  );
  await eventually(forecast, (answer) => share(answer) > 0.05);
  feeding = false;
  await fed;
  await agent?.stop();

  const again = await start();
  const status = (await (await fetch(`${again}/api/v1/forecast/training`)).json()) as TrainingStatus;
  expect(status.activeModel).toBe(activeModel);
  const ready = await agent?.untilLogged('"msg":"the forecasting process is ready on ');
  expect(ready).not.toContain("using the built-in one");
});

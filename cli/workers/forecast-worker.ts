import { runForecastWorker } from "#forecast/lstm/worker/run-forecast-worker.ts";
import { type Command, optionalString } from "#platform/terminal/command.ts";

export const forecastWorkerCommand: Command = {
  summary: "run the forecasting network for the process that started this one",
  usage: "[--model-dir DIR]",
  hidden: true,
  rights: "worker",
  options: {
    "model-dir": { value: "DIR", help: "trained model (default: the built-in one)" },
  },
  async run(values) {
    // Threads of the optional native library would keep the process alive.
    process.exit(await runForecastWorker(optionalString(values, "model-dir") ?? null));
  },
};

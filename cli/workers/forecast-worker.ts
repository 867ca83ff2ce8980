import { runForecastWorker } from "#forecast/lstm/worker/run-forecast-worker.ts";
import { type Command, optionalString } from "#platform/terminal/command.ts";

export const forecastWorkerCommand: Command = {
  summary: "run the forecasting network for the process that started this one",
  usage: "[--model-dir DIR]",
  hidden: true,
  options: {
    "model-dir": { type: "string", value: "DIR", help: "a trained model (default: the one that the program carries)" },
  },
  async run(values) {
    // The optional native library's threads would keep the process alive.
    process.exit(await runForecastWorker(optionalString(values, "model-dir") ?? null));
  },
};

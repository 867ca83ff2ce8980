import { runBacktestWorker } from "#controller/scaling/backtest/job/run-backtest-worker.ts";
import type { Command } from "#platform/terminal/command.ts";

export const backtestWorkerCommand: Command = {
  summary: "replay traffic for the controller that started this process",
  usage: "",
  hidden: true,
  rights: "worker",
  options: {},
  run: () => runBacktestWorker(),
};

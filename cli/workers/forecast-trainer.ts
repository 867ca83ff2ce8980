import { runTrainer } from "#forecast/night/run-trainer.ts";
import type { TrainerTask } from "#forecast/night/trainer-messages.ts";
import { type Command, requiredOption } from "#platform/terminal/command.ts";

export const forecastTrainerCommand: Command = {
  summary: "train a forecasting network for the agent that started this process",
  usage: "--task JSON",
  hidden: true,
  rights: "worker",
  options: { task: { value: "JSON", help: "training data, settings and output directory" } },
  async run(values) {
    process.exit(await runTrainer(JSON.parse(requiredOption(values, "task")) as TrainerTask));
  },
};

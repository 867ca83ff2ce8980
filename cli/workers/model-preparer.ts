import { PreparationTask, runModelPreparer } from "#agent/serving/prepared/run-model-preparer.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { type Command, requiredOption } from "#platform/terminal/command.ts";

export const modelPreparerCommand: Command = {
  summary: "prepare a model for the process that started this one",
  usage: "--task JSON",
  hidden: true,
  rights: "worker",
  options: { task: { value: "JSON", help: "the model's files and where it is kept" } },
  async run(values) {
    const task = parseConfig(PreparationTask, JSON.parse(requiredOption(values, "task")), "--task");
    process.exit(await runModelPreparer(task));
  },
};

import { runTokenizerProbe } from "#agent/serving/worker/run-tokenizer-probe.ts";
import type { Command } from "#platform/terminal/command.ts";

export const tokenizerProbeCommand: Command = {
  summary: "test a tokenizer's regular expression for the process that loads the model",
  usage: "JSON",
  hidden: true,
  rights: "worker",
  options: {},
  async run(_values, [pattern = ""]) {
    runTokenizerProbe(pattern);
    return 0;
  },
};

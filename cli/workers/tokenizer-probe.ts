import { runTokenizerProbe } from "#agent/serving/worker/run-tokenizer-probe.ts";
import type { Command } from "#platform/terminal/command.ts";

export const tokenizerProbeCommand: Command = {
  summary: "try a tokenizer's regular expressions for the process that loads the model",
  usage: "",
  hidden: true,
  options: {},
  async run() {
    await runTokenizerProbe();
    return 0;
  },
};

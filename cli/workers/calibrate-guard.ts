import type { Command } from "#platform/terminal/command.ts";
import { runBoardGuard } from "#tools/calibrate/board-guard.ts";

export const calibrateGuardCommand: Command = {
  summary: "restore the power mode when a calibration is killed",
  usage: "",
  hidden: true,
  options: {},
  async run() {
    return await runBoardGuard(Bun.stdin.stream());
  },
};

import { runBoardGuard } from "./calibrate/board-guard.ts";
import type { Command } from "./command.ts";

export const calibrateGuardCommand: Command = {
  summary: "set the old power mode again when a calibration is killed",
  usage: "",
  hidden: true,
  options: {},
  async run() {
    return await runBoardGuard(Bun.stdin.stream());
  },
};

import { runPlannerWorker } from "#controller/scaling/fleet-plan/worker/run-planner-worker.ts";
import type { Command } from "#platform/terminal/command.ts";

export const fleetPlannerCommand: Command = {
  summary: "solve fleet plans for the controller that started this process",
  usage: "",
  hidden: true,
  rights: "worker",
  options: {},
  run: () => runPlannerWorker(),
};

import { runPlannerWorker } from "#controller/scaling/fleet-plan/run-planner-worker.ts";
import type { Command } from "./command.ts";

export const fleetPlannerCommand: Command = {
  summary: "solve fleet plans for the controller that started this process",
  usage: "",
  hidden: true,
  options: {},
  run: () => runPlannerWorker(),
};

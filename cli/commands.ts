import type { Command } from "./command.ts";

/** Every sub-command, loaded when it is asked for: `version` must not wait for TensorFlow.js. */
export const commands: Readonly<Record<string, () => Promise<Command>>> = {
  agent: async () => (await import("./agent.ts")).agentCommand,
  controller: async () => (await import("./controller.ts")).controllerCommand,
  demo: async () => (await import("./demo.ts")).demoCommand,
  why: async () => (await import("./why.ts")).whyCommand,
  power: async () => (await import("./power.ts")).powerCommand,
  status: async () => (await import("./status.ts")).statusCommand,
  models: async () => (await import("./models.ts")).modelsCommand,
  embed: async () => (await import("./embed.ts")).embedCommand,
  load: async () => (await import("./load.ts")).loadCommand,
  forecast: async () => (await import("./forecast.ts")).forecastCommand,
  backtest: async () => (await import("./backtest.ts")).backtestCommand,
  freeze: async () => (await import("./freeze.ts")).freezeCommand,
  policy: async () => (await import("./policy.ts")).policyCommand,
  decide: async () => (await import("./decide.ts")).decideCommand,
  calibrate: async () => (await import("./calibrate.ts")).calibrateCommand,
  "calibrate-guard": async () => (await import("./calibrate-guard.ts")).calibrateGuardCommand,
  "power-helper": async () => (await import("./power-helper.ts")).powerHelperCommand,
  doctor: async () => (await import("./doctor.ts")).doctorCommand,
  config: async () => (await import("./config.ts")).configCommand,
  version: async () => (await import("./version.ts")).versionCommand,
  "model-worker": async () => (await import("./model-worker.ts")).modelWorkerCommand,
  "forecast-worker": async () => (await import("./forecast-worker.ts")).forecastWorkerCommand,
  "forecast-trainer": async () => (await import("./forecast-trainer.ts")).forecastTrainerCommand,
  "fleet-planner": async () => (await import("./fleet-planner.ts")).fleetPlannerCommand,
};

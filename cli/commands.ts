import type { Command } from "./command.ts";

/** Every sub-command, loaded when it is asked for: `version` must not wait for TensorFlow.js. */
export const commands: Readonly<Record<string, () => Promise<Command>>> = {
  agent: async () => (await import("./agent.ts")).agentCommand,
  config: async () => (await import("./config.ts")).configCommand,
  embed: async () => (await import("./embed.ts")).embedCommand,
  demo: async () => (await import("./demo.ts")).demoCommand,
  "model-worker": async () => (await import("./model-worker.ts")).modelWorkerCommand,
  forecast: async () => (await import("./forecast.ts")).forecastCommand,
  "forecast-worker": async () => (await import("./forecast-worker.ts")).forecastWorkerCommand,
  controller: async () => (await import("./controller.ts")).controllerCommand,
  status: async () => (await import("./status.ts")).statusCommand,
  version: async () => (await import("./version.ts")).versionCommand,
};

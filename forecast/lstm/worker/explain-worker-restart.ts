import type { WorkerRestartDecision } from "./decide-worker-restart.ts";

export function explainWorkerRestart({ delayMs, failuresInRow }: WorkerRestartDecision): string {
  const times = failuresInRow <= 1 ? "once" : `${failuresInRow} times in a row`;
  return `lost ${times}: restarting in ${delayMs / 1000} s`;
}

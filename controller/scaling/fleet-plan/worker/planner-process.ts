import {
  decideFleetPlan,
  defaultPlanLimits,
  type FleetPlan,
} from "#controller/scaling/fleet-plan/decide-fleet-plan.ts";
import { describeError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { childEnvironment } from "#platform/process/child-environment.ts";
import { endProcess } from "#platform/process/end-process.ts";
import { selfCommand } from "#platform/process/self-command.ts";
import type { FleetPlanner, PlannerAnswer, PlannerQuestion, PlanRequest } from "./fleet-planner.ts";

export interface PlannerProcessOptions {
  /** Real milliseconds for one plan; after that the process is ended. */
  readonly timeoutMs: number;
  readonly log: Logger;
  /** Command started instead of this program's own worker; for tests. */
  readonly command?: readonly string[];
}

/** Trials of a plan made in this process: few, so that it holds up the controller for only some 20 ms. */
const maxTrialsHere = 20_000;
const stopGraceMs = 1_000;

function planHere({ input, cover }: PlanRequest, reason: string): FleetPlan {
  const solver = { solve: () => ({ status: "none", reason }) as const };
  return decideFleetPlan(input, solver, { ...defaultPlanLimits, maxTrials: maxTrialsHere }, cover);
}

/** Plans in a child process, started with the first plan and again when it was lost: a solver takes a core for as long as it runs. */
export function createPlannerProcess({ timeoutMs, log, command }: PlannerProcessOptions): FleetPlanner {
  const pending = new Map<number, PromiseWithResolvers<FleetPlan>>();
  let child: Bun.Subprocess | undefined;
  let nextId = 1;
  let stopping = false;

  const launch = (): Bun.Subprocess => {
    const launched = Bun.spawn([...(command ?? [...selfCommand(), "fleet-planner"])], {
      env: childEnvironment("worker"),
      stdin: "ignore",
      stdout: "ignore",
      stderr: "inherit",
      serialization: "advanced",
      ipc(answer: PlannerAnswer | null) {
        if (answer === null || typeof answer !== "object") return launched.kill("SIGKILL");
        const { id, plan, failure } = answer;
        const waiting = pending.get(id);
        if (plan !== null) waiting?.resolve(plan);
        else waiting?.reject(new Error(failure ?? "the planning process gave no plan"));
      },
    });
    void launched.exited.then((code) => {
      if (child !== launched) return;
      child = undefined;
      const how = launched.signalCode === null ? `ended with ${code}` : `was ended by ${launched.signalCode}`;
      for (const { reject } of pending.values()) reject(new Error(`the planning process ${how}`));
    });
    return launched;
  };

  const ask = async (request: PlanRequest): Promise<FleetPlan> => {
    child ??= launch();
    const running = child;
    const id = nextId;
    nextId += 1;
    const waiting = Promise.withResolvers<FleetPlan>();
    pending.set(id, waiting);
    const timer = setTimeout(() => {
      waiting.reject(new Error(`no plan within ${timeoutMs} ms`));
      running.kill("SIGKILL");
    }, timeoutMs);
    try {
      running.send({ id, ...request } satisfies PlannerQuestion);
      return await waiting.promise;
    } finally {
      clearTimeout(timer);
      pending.delete(id);
    }
  };

  return {
    async plan(request) {
      if (stopping) return planHere(request, "the controller is stopping");
      try {
        return await ask(request);
      } catch (error) {
        const reason = describeError(error);
        log.warn({ reason }, "the solver made no plan: using the search instead");
        return planHere(request, reason);
      }
    },
    async stop() {
      stopping = true;
      const running = child;
      if (running === undefined) return;
      running.disconnect();
      await endProcess(running, stopGraceMs);
    },
  };
}

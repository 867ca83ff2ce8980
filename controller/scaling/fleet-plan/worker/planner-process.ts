import {
  decideFleetPlan,
  defaultPlanLimits,
  type FleetPlan,
} from "#controller/scaling/fleet-plan/decide-fleet-plan.ts";
import { describeError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { type ChildWorker, type OpenQuestion, startChildWorker } from "#platform/process/child-worker.ts";
import { selfCommand } from "#platform/process/self-command.ts";
import type { FleetPlanner, PlannerAnswer, PlannerQuestion, PlanRequest } from "./fleet-planner.ts";

export interface PlannerProcessOptions {
  /** Real milliseconds for one plan; after that the process is ended. */
  readonly timeoutMs: number;
  readonly log: Logger;
  /** Command started instead of this program's own worker; for tests. */
  readonly command?: readonly string[];
}

/** Work on a plan made in this process: little, so that it holds up the controller for only some 20 ms. */
const maxWorkHere = 300_000;

interface Asked extends OpenQuestion {
  resolve(plan: FleetPlan): void;
}

function planHere({ input, cover }: PlanRequest, reason: string): FleetPlan {
  const solver = { solve: () => ({ status: "none", reason, bound: null }) as const };
  return decideFleetPlan(input, solver, { ...defaultPlanLimits, maxWork: maxWorkHere }, cover);
}

/** Plans in a child process, started with the first plan and again when it was lost: a solver takes a core for as long as it runs. */
export class PlannerProcess implements FleetPlanner {
  readonly #options: PlannerProcessOptions;
  #worker: ChildWorker<Asked> | null = null;
  #stopping = false;

  constructor(options: PlannerProcessOptions) {
    this.#options = options;
  }

  async plan(request: PlanRequest): Promise<FleetPlan> {
    if (this.#stopping) return planHere(request, "the controller is stopping");
    try {
      return await this.#ask(request);
    } catch (error) {
      const reason = describeError(error);
      this.#options.log.warn({ reason }, "the solver made no plan: using the search instead");
      return planHere(request, reason);
    }
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#worker?.stop();
  }

  async #ask(request: PlanRequest): Promise<FleetPlan> {
    const { timeoutMs } = this.#options;
    if (this.#worker === null || this.#worker.loss !== null) this.#worker = this.#launch();
    const worker = this.#worker;
    const { promise, resolve, reject } = Promise.withResolvers<FleetPlan>();
    const timer = setTimeout(() => worker.drop(`made no plan within ${timeoutMs} ms`), timeoutMs);
    try {
      // The solver may work on several questions at once: each has its own time.
      worker.ask({ deadlineMs: () => Number.POSITIVE_INFINITY, resolve, reject }, (id) =>
        worker.send({ id, ...request } satisfies PlannerQuestion),
      );
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  #launch(): ChildWorker<Asked> {
    const worker: ChildWorker<Asked> = startChildWorker<Asked>({
      command: this.#options.command ?? [...selfCommand(), "fleet-planner"],
      minDeadlineMs: this.#options.timeoutMs,
      maxStoppedMs: Number.POSITIVE_INFINITY,
      lostError: (reason) => new Error(`the planning process ${reason}`),
      onMessage(message) {
        if (message === null || typeof message !== "object") return worker.drop("sent something that is not a plan");
        const { id, plan, failure } = message as PlannerAnswer;
        const asked = worker.question(id);
        worker.answered(id);
        if (plan) asked?.resolve(plan);
        else asked?.reject(new Error(failure ?? "the planning process made no plan"));
      },
    });
    return worker;
  }
}

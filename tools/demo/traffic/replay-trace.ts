import type { Clock } from "#platform/clock.ts";
import { minuteMs } from "#platform/time.ts";
import { createControllerClient } from "#tools/demo/fleet/controller-client.ts";
import type { DemoBoard } from "#tools/demo/fleet/demo-fleet.ts";
import type { FleetProcesses } from "#tools/demo/fleet/fleet-processes.ts";
import type { DemoScale } from "#tools/demo/fleet/plan-scale.ts";
import { FleetFollower } from "#tools/demo/view/follow-fleet.ts";
import { followTraining } from "#tools/demo/view/follow-training.ts";
import { renderProgress, renderView } from "#tools/demo/view/render-view.ts";
import type { DemoSnapshot } from "#tools/demo/view/snapshot.ts";
import type { Progress } from "#tools/demo/view/terminal.ts";
import { Balancer } from "./balancer.ts";
import { LoadGenerator } from "./load-generator.ts";
import { type SendOptions, sendEmbedding } from "./send-embedding.ts";

const viewPeriodMs = 500;
const linePeriodMs = 10_000;
/** Time for the last minutes' records to reach the controller. */
const settleMs = 1_500;
/** Limit of real time for a training to end after the traffic: it needs seconds, but runs only on idle cores. */
const trainingEndMs = minuteMs;

interface ReplayPlan {
  readonly clock: Clock;
  readonly controllerUrl: string;
  readonly agents: readonly { readonly agentId: string; readonly url: string }[];
  readonly boards: readonly DemoBoard[];
  readonly scale: DemoScale;
  /** Number of real requests in the clock minute that begins at a time. */
  readonly requestsInMinute: (minuteStartMs: number) => number;
  /** End of the trace's window. */
  readonly toMs: number;
  /** True: continues after it. */
  readonly forever: boolean;
  readonly nextText: () => string;
  readonly sendOptions: SendOptions;
}

export interface ReplaySurroundings {
  readonly progress: Progress;
  /** True: shows the live view; false: prints lines of progress. */
  readonly live: boolean;
  /** Resolves when the traffic should end early. */
  readonly stopped: Promise<void>;
}

/**
 * Sends the trace's traffic until its end (or for ever, or until stopped) and shows the state of the fleet.
 * @returns what the demo counted and the controller recorded; `durationS` in real seconds from the first request to the last answer
 * @throws FleetFailure when a process of the fleet ends by itself
 */
export async function replayTrace(
  processes: FleetProcesses,
  plan: ReplayPlan,
  { progress, live, stopped }: ReplaySurroundings,
) {
  const { clock, scale } = plan;
  const untilMs = plan.forever ? Number.POSITIVE_INFINITY : plan.toMs;
  const fromMs = Math.ceil(clock.nowMs() / minuteMs) * minuteMs;
  const startedMs = performance.now();
  /** End of the traffic; later events don't belong to it. */
  let endedMs = untilMs;
  const balancer = new Balancer();
  const fleet = new FleetFollower({
    controller: createControllerClient(plan.controllerUrl),
    boards: plan.boards,
    balancer,
    sinceMs: fromMs,
    untilMs: () => Math.min(clock.nowMs(), endedMs),
    nowMs: () => clock.nowMs(),
  });
  fleet.start();
  const training = followTraining(plan.agents);
  const load = new LoadGenerator({
    realNowMs: () => performance.now(),
    clock,
    requestsInMinute: plan.requestsInMinute,
    nextText: plan.nextText,
    send: (shape, text) => sendEmbedding(balancer, shape, text, plan.sendOptions),
    onError: (reason) => progress.say(`a request failed: ${reason}`),
  });
  const snapshot = (): DemoSnapshot => {
    const clockMs = Math.min(clock.nowMs(), endedMs);
    const forecast = fleet.forecasts.at(-1);
    return {
      clockMs,
      speed: clock.speed,
      elapsedS: (performance.now() - startedMs) / 1000,
      progress: Math.min(1, Math.max(0, (clockMs - fromMs) / (plan.toMs - fromMs))),
      scale,
      sentQps: load.sentQps(),
      traffic: load.counts(),
      agents: fleet.agents,
      forecast: forecast === undefined ? null : { peakQps: Math.max(...forecast.qps), model: forecast.model },
      trainings: training.trainings(),
      cost: fleet.cost,
      decisions: fleet.decisions,
    };
  };
  const view = live
    ? setInterval(() => progress.show(renderView(snapshot())), viewPeriodMs)
    : setInterval(() => progress.say(renderProgress(snapshot())), linePeriodMs);
  try {
    let stoppedEarly = false;
    void stopped.then(() => {
      stoppedEarly = true;
      load.stop();
    });
    await processes.guard(load.run(untilMs));
    const durationS = (performance.now() - startedMs) / 1000;
    clearInterval(view);
    endedMs = Math.min(clock.nowMs(), untilMs);
    await processes.guard(clock.sleep(2 * minuteMs).then(() => Bun.sleep(settleMs)));
    await processes.guard(fleet.refresh());
    await processes.guard(Promise.race([stopped, training.untilQuiet(stoppedEarly ? 0 : trainingEndMs)]));
    return { fromMs, toMs: endedMs, durationS, traffic: load.counts(), fleet, training };
  } finally {
    clearInterval(view);
    load.stop();
    await Promise.all([fleet.stop(), training.stop()]);
  }
}

import type { Clock } from "#platform/clock.ts";
import { minuteMs } from "#platform/time.ts";
import type { ControllerClient } from "#tools/demo/fleet/controller-client.ts";
import type { DemoBoard } from "#tools/demo/fleet/demo-fleet.ts";
import { demoTenants } from "#tools/demo/fleet/fleet-config.ts";
import type { FleetProcesses } from "#tools/demo/fleet/fleet-processes.ts";
import type { DemoScale } from "#tools/demo/fleet/plan-scale.ts";
import { actToText, secondActSpeed } from "#tools/demo/second-act.ts";
import { FleetFollower } from "#tools/demo/view/follow-fleet.ts";
import { followTraining } from "#tools/demo/view/follow-training.ts";
import { formatTime } from "#tools/demo/view/format.ts";
import { renderProgress, renderView, type ScreenSize } from "#tools/demo/view/render-view.ts";
import type { Act, DemoSnapshot } from "#tools/demo/view/snapshot.ts";
import type { Progress } from "#tools/demo/view/terminal.ts";
import { LoadGenerator } from "./load-generator.ts";
import { type SendOptions, sendEmbedding } from "./send-embedding.ts";
import { ServiceRecord } from "./service-record.ts";

const viewPeriodMs = 500;
const linePeriodMs = 10_000;
/** Time for the last minutes' records to reach the controller. */
const settleMs = 1_500;
/** Limit of real time for a training to end after the traffic: it needs seconds, but runs only on idle cores. */
const trainingEndMs = minuteMs;

interface ReplayPlan {
  readonly clock: Clock;
  readonly controller: ControllerClient;
  /** The only address that clients know. */
  readonly entryUrl: string;
  readonly agents: readonly { readonly agentId: string; readonly url: string }[];
  readonly boards: readonly DemoBoard[];
  readonly scale: DemoScale;
  /** Number of real requests in the clock minute that begins at a time. */
  readonly requestsInMinute: (minuteStartMs: number) => number;
  /** Start of the second act, and end of the trace's window. */
  readonly secondActMs: number;
  readonly toMs: number;
  /** True: continues after it. */
  readonly forever: boolean;
  readonly nextText: () => string;
  readonly sendOptions: SendOptions;
}

export interface ReplaySurroundings {
  readonly progress: Progress;
  /** Size of the terminal for the live view; null: lines of progress instead. */
  readonly screen: (() => ScreenSize) | null;
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
  { progress, screen, stopped }: ReplaySurroundings,
) {
  const { clock, scale } = plan;
  const untilMs = plan.forever ? Number.POSITIVE_INFINITY : plan.toMs;
  const fromMs = Math.ceil(clock.nowMs() / minuteMs) * minuteMs;
  const startedMs = performance.now();
  /** End of the traffic; later events don't belong to it. */
  let endedMs = untilMs;
  const fleet = new FleetFollower({
    controller: plan.controller,
    boards: plan.boards,
    agents: plan.agents,
    capacityScale: scale.capacityScale,
    entryUrl: plan.entryUrl,
    sinceMs: fromMs,
    untilMs: () => Math.min(clock.nowMs(), endedMs),
    nowMs: () => clock.nowMs(),
  });
  fleet.start();
  const training = followTraining(plan.agents);
  const services = [new ServiceRecord(), new ServiceRecord()] as const;
  const load = new LoadGenerator({
    realNowMs: () => performance.now(),
    clock,
    requestsInMinute: plan.requestsInMinute,
    nextText: plan.nextText,
    clients: [
      { ...demoTenants[0], url: plan.entryUrl },
      { ...demoTenants[1], url: plan.entryUrl },
    ],
    send: (client, text) => sendEmbedding(client, text, plan.sendOptions),
    onResult(sentAtMs, result) {
      services[sentAtMs < plan.secondActMs ? 0 : 1].record(sentAtMs, result);
      if (!result.ok) progress.say(`a request failed: ${result.failure}`);
    },
  });
  const acts = (nowMs: number): Act[] => {
    const [first, second] = services;
    const firstAct = {
      fromMs,
      toMs: Math.min(nowMs, plan.secondActMs),
      boardSpeed: 1,
      service: first.summary(),
    };
    if (nowMs < plan.secondActMs) return [firstAct];
    const secondAct = { fromMs: plan.secondActMs, toMs: nowMs, boardSpeed: secondActSpeed, service: second.summary() };
    return [firstAct, secondAct];
  };
  const snapshot = (): DemoSnapshot => {
    const clockMs = Math.min(clock.nowMs(), endedMs);
    const forecast = fleet.forecasts.at(-1);
    return {
      clockMs,
      speed: clock.speed,
      elapsedS: (performance.now() - startedMs) / 1000,
      windowS: (plan.toMs - fromMs) / 1000 / clock.speed,
      fromMs,
      progress: Math.min(1, Math.max(0, (clockMs - fromMs) / (plan.toMs - fromMs))),
      scale,
      page: plan.controller.page,
      sentQps: load.sentQps(),
      traffic: load.counts(),
      routes: fleet.routes,
      agents: fleet.agents,
      forecast: forecast === undefined ? null : { peakQps: Math.max(...forecast.qps), model: forecast.model },
      trainings: training.trainings(),
      acts: acts(clockMs),
      accuracy: fleet.forecastAccuracy,
      cost: fleet.cost,
      decisions: fleet.decisions,
    };
  };
  const untilSecondActMs = plan.secondActMs - clock.nowMs();
  const abort = new AbortController();
  if (untilSecondActMs > 0)
    void clock.sleep(untilSecondActMs, abort.signal).then(() => {
      if (!abort.signal.aborted) progress.say(`${formatTime(plan.secondActMs)} act 2: ${actToText(secondActSpeed)}`);
    });
  const view = screen
    ? setInterval(() => progress.show(renderView(snapshot(), screen())), viewPeriodMs)
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
    return { fromMs, toMs: endedMs, durationS, traffic: load.counts(), acts: acts(endedMs), fleet, training };
  } finally {
    clearInterval(view);
    abort.abort();
    load.stop();
    await Promise.all([fleet.stop(), training.stop()]);
  }
}

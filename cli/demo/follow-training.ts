import type { TrainingStatus } from "#agent/forecast/night/night-training.ts";
import { getJson } from "./http-json.ts";
import type { TrainingSnapshot, TrainingSummary } from "./snapshot.ts";

const periodMs = 1_000;

/** What the agents that train models of their own do about it, as they say themselves. */
export interface TrainingFollower {
  /** Of each such agent that has answered so far. */
  trainings(): readonly TrainingSnapshot[];
  /** Trainings that ended, oldest first. */
  ended(): readonly TrainingSummary[];
  /** Those under way, as they will have ended when the fleet is stopped now. */
  unfinished(nowMs: number): readonly TrainingSummary[];
  /** Resolves when no training is under way, after `mostMs` of real time at the latest. */
  untilQuiet(mostMs: number): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Asks the agents again and again.
 * @param agents those that train, with their addresses.
 */
export function followTraining(
  agents: readonly { readonly agentId: string; readonly url: string }[],
  ask: (url: string) => Promise<TrainingStatus> = async (url) => (await getJson(url)) as TrainingStatus,
): TrainingFollower {
  const known = new Map<string, TrainingSnapshot>();
  const ended: TrainingSummary[] = [];
  const abort = new AbortController();

  const look = async () => {
    for (const { agentId, url } of agents) {
      const { state, reason, progress, last, activeModel } = await ask(`${url}/api/v1/forecast/training`);
      const before = known.get(agentId)?.last ?? null;
      if (last !== null && last.endedAtMs !== before?.endedAtMs) ended.push({ agentId, ...last });
      known.set(agentId, {
        agentId,
        state,
        reason,
        epoch: progress?.epoch ?? null,
        loss: progress?.loss ?? null,
        last,
        servesOwnModel: activeModel !== null,
      });
    }
  };
  /** An agent that is gone for good ends as a process, which is watched: one look missed is made up for by the next. */
  const loop = async () => {
    while (!abort.signal.aborted) {
      await look().catch(() => {});
      if (!abort.signal.aborted) await Bun.sleep(periodMs);
    }
  };
  const looping = loop();
  return {
    trainings: () => [...known.values()],
    ended: () => ended,
    unfinished: (nowMs) =>
      [...known.values()].flatMap(({ agentId, state, epoch }) =>
        state === "waiting"
          ? []
          : [
              {
                agentId,
                endedAtMs: Math.round(nowMs),
                kind: "stopped",
                reason: `the demo ended in its epoch ${epoch ?? 0}`,
              },
            ],
      ),
    async untilQuiet(mostMs) {
      const deadlineMs = performance.now() + mostMs;
      do {
        await look().catch(() => {});
        if (![...known.values()].some(({ state }) => state !== "waiting")) return;
        await Bun.sleep(periodMs);
      } while (performance.now() < deadlineMs);
    },
    async stop() {
      abort.abort();
      await looping;
    },
  };
}

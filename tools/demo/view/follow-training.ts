import type { TrainingStatus } from "#forecast/night/training-status.ts";
import { getJson } from "#tools/demo/fleet/http-json.ts";
import type { TrainingAwaited, TrainingSnapshot, TrainingSummary } from "./snapshot.ts";

const defaultPeriodMs = 1_000;

/** State of the agents' own trainings, as reported by the agents. */
export interface TrainingFollower {
  /** Trainings of the agents that have answered so far. */
  trainings(): readonly TrainingSnapshot[];
  /** Trainings that ended, oldest first. */
  ended(): readonly TrainingSummary[];
  /** Trainings in progress, as they will end if the fleet is stopped now. */
  unfinished(nowMs: number): readonly TrainingSummary[];
  /** Agents that have not trained yet. */
  awaited(): readonly TrainingAwaited[];
  /** Resolves when no training is in progress, or after `maxMs` of real time. */
  untilQuiet(maxMs: number): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Polls the agents.
 * @param agents all agents, with their addresses
 */
export function followTraining(
  agents: readonly { readonly agentId: string; readonly url: string }[],
  ask: (url: string) => Promise<TrainingStatus> = async (url) => (await getJson(url)) as TrainingStatus,
  periodMs = defaultPeriodMs,
): TrainingFollower {
  const known = new Map<string, TrainingSnapshot>();
  const ended: TrainingSummary[] = [];
  const abort = new AbortController();

  const look = async () => {
    const lookAt = async ({ agentId, url }: (typeof agents)[number]) => {
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
    };
    // A failed query is ignored: the process of an agent that has ended is watched.
    await Promise.all(agents.map((agent) => lookAt(agent).catch(() => {})));
  };
  const loop = async () => {
    while (!abort.signal.aborted) {
      await look();
      if (!abort.signal.aborted) await Bun.sleep(periodMs);
    }
  };
  const looping = loop();
  return {
    trainings: () => agents.flatMap(({ agentId }) => known.get(agentId) ?? []),
    ended: () => ended.toSorted((a, b) => a.endedAtMs - b.endedAtMs),
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
    awaited: () =>
      agents.flatMap(({ agentId }) => {
        const status = known.get(agentId);
        return status?.state === "waiting" && status.last === null ? [{ agentId, reason: status.reason }] : [];
      }),
    async untilQuiet(maxMs) {
      const deadlineMs = performance.now() + maxMs;
      do {
        await look();
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

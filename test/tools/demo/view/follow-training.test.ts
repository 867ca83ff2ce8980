import { afterEach, describe, expect, test } from "bun:test";
import type { TrainingStatus } from "#forecast/night/training-status.ts";
import { followTraining, type TrainingFollower } from "#tools/demo/view/follow-training.ts";

const waiting: TrainingStatus = {
  state: "waiting",
  reason: "7 of 303 minutes recorded",
  progress: null,
  last: null,
  electricity: null,
  activeModel: null,
};
const progress = { epoch: 3, batch: 1, batches: 9, loss: 0.05, validationLoss: null, rssBytes: null, pid: 7 };
const kept = { kind: "kept", reason: "WAPE 29.10 % against 28.40 %", endedAtMs: 1_000 } as const;
const promoted = { kind: "promoted", reason: "WAPE 20.00 % against 28.40 %", endedAtMs: 2_000 } as const;

let follower: TrainingFollower | undefined;
afterEach(async () => {
  await follower?.stop();
});

/** Answers with one of the given after the other, the last one again and again; an Error is thrown. */
function follow(answers: (TrainingStatus | Error)[], periodMs?: number) {
  const asked: string[] = [];
  const ask = async (url: string) => {
    asked.push(url);
    const answer = (answers.length > 1 ? answers.shift() : answers[0]) as TrainingStatus | Error;
    if (answer instanceof Error) throw answer;
    return answer;
  };
  follower = followTraining([{ agentId: "thor-1", url: "http://agent" }], ask, periodMs);
  return { follower, asked };
}

describe("followTraining", () => {
  test("says how each training is and how those that ended did, each once", async () => {
    const { follower: followed, asked } = follow([
      { ...waiting, state: "training", reason: "at any hour", progress },
      { ...waiting, last: kept },
      { ...waiting, last: kept },
      { ...waiting, last: promoted, activeModel: "/models/2" },
    ]);
    await Bun.sleep(0);
    expect(followed.trainings()).toEqual([
      {
        agentId: "thor-1",
        state: "training",
        reason: "at any hour",
        epoch: 3,
        loss: 0.05,
        last: null,
        servesOwnModel: false,
      },
    ]);
    expect(followed.ended()).toEqual([]);
    for (let look = 0; look < 3; look += 1) await followed.untilQuiet(0);
    expect(followed.ended()).toEqual([
      { agentId: "thor-1", ...kept },
      { agentId: "thor-1", ...promoted },
    ]);
    expect(followed.trainings()).toMatchObject([{ state: "waiting", epoch: null, servesOwnModel: true }]);
    expect(asked[0]).toBe("http://agent/api/v1/forecast/training");
  });

  test("waits for a training under way, but not for ever", async () => {
    // It rests for ever.
    const { follower: followed, asked } = follow([{ ...waiting, state: "resting", progress }], 1);
    await followed.untilQuiet(20);
    expect(asked.length).toBeGreaterThan(2);
    expect(followed.trainings()).toMatchObject([{ state: "resting" }]);
    const reason = "the demo ended in its epoch 3";
    expect(followed.awaited()).toEqual([]);
    expect(followed.unfinished(7.2)).toEqual([{ agentId: "thor-1", endedAtMs: 7, kind: "stopped", reason }]);
  });

  test("all agents are followed: in their order, what ended by its time, and one that is silent hides no other", async () => {
    const answers: Record<string, TrainingStatus | Error> = {
      "http://a/": new Error("refused"),
      "http://b/": { ...waiting, last: promoted },
      "http://c/": { ...waiting, last: kept },
    };
    follower = followTraining(
      ["a", "b", "c"].map((agentId) => ({ agentId, url: `http://${agentId}` })),
      async (url) => {
        const answer = answers[new URL("/", url).href] as TrainingStatus | Error;
        if (answer instanceof Error) throw answer;
        return answer;
      },
    );
    await follower.untilQuiet(0);
    expect(follower.trainings().map(({ agentId }) => agentId)).toEqual(["b", "c"]);
    answers["http://a/"] = waiting;
    await follower.untilQuiet(0);
    expect(follower.trainings().map(({ agentId }) => agentId)).toEqual(["a", "b", "c"]);
    expect(follower.awaited()).toEqual([{ agentId: "a", reason: "7 of 303 minutes recorded" }]);
    expect(follower.ended()).toEqual([
      { agentId: "c", ...kept },
      { agentId: "b", ...promoted },
    ]);
  });

  test("an agent that does not answer is asked again", async () => {
    const { follower: followed } = follow([new Error("refused"), { ...waiting, last: kept }]);
    await Bun.sleep(0);
    expect(followed.trainings()).toEqual([]);
    await followed.untilQuiet(0);
    expect(followed.ended()).toHaveLength(1);
    expect(followed.unfinished(7)).toEqual([]);
  });
});

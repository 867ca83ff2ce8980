import { describe, expect, test } from "bun:test";
import { defaultLengths } from "#agent/serving/batching/decide-batch.ts";
import { decideLanePlan } from "#agent/serving/batching/decide-lane-plan.ts";

const nothing: Parameters<typeof decideLanePlan>[0] = {
  oneThreadProcesses: null,
  batchTokens: null,
  batchTexts: null,
  paddedLengths: null,
  threads: 2,
};

type Row = { name: string; settings: Parameters<typeof decideLanePlan>[0]; gpu: boolean; plan: object };

describe("decideLanePlan", () => {
  test.each<Row>([
    {
      name: "a CPU",
      settings: nothing,
      gpu: false,
      plan: { policy: { maxTokens: 256, maxTexts: 32, padTo: "longest" }, narrowLanes: 2, wideBatches: 1 },
    },
    { name: "a CPU of one thread", settings: { ...nothing, threads: 1 }, gpu: false, plan: { narrowLanes: 0 } },
    {
      name: "no narrow lanes wanted",
      settings: { ...nothing, oneThreadProcesses: 0 },
      gpu: false,
      plan: { narrowLanes: 0 },
    },
    {
      name: "a GPU",
      settings: nothing,
      gpu: true,
      plan: {
        startEarly: false,
        policy: { maxTokens: 16_384, maxTexts: 256, padTo: defaultLengths },
        narrowLanes: 0,
        wideBatches: 2,
      },
    },
    {
      name: "what is configured, on a CPU",
      settings: { ...nothing, batchTokens: 9, batchTexts: 3, oneThreadProcesses: 1 },
      gpu: false,
      plan: { policy: { maxTokens: 9, maxTexts: 3, padTo: "longest" }, narrowLanes: 1 },
    },
    {
      name: "what is configured, on a GPU",
      settings: { ...nothing, batchTokens: 9, batchTexts: 3, paddedLengths: [4, 8] },
      gpu: true,
      plan: { policy: { maxTokens: 9, maxTexts: 3, padTo: [4, 8] } },
    },
    {
      name: "lengths on a CPU",
      settings: { ...nothing, paddedLengths: [4, 8] },
      gpu: false,
      plan: { policy: { padTo: [4, 8] } },
    },
    {
      name: "a GPU never has narrow lanes",
      settings: { ...nothing, oneThreadProcesses: 4 },
      gpu: true,
      plan: { narrowLanes: 0 },
    },
  ])("$name", ({ settings, gpu, plan }) => {
    const decided = decideLanePlan(settings, gpu, 250e6);
    expect(decided).toMatchObject(plan);
    expect(decided.rule).toBe(gpu ? "gpu" : "cpu");
  });

  test.each([
    { name: "a small model's", processBytes: 500e6, startEarly: true },
    { name: "a large model's", processBytes: 500e6 + 0.5, startEarly: false },
  ])("$name narrow lanes start early: $startEarly", ({ processBytes, startEarly }) => {
    expect(decideLanePlan(nothing, false, processBytes).startEarly).toBe(startEarly);
  });
});

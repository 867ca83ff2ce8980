import { expect, test } from "bun:test";
import { StepDowns } from "#agent/power/mode/step-downs.ts";

const minute = 60_000;

test("each step down that fails holds the next one off for twice as long, up to six hours", () => {
  const steps = new StepDowns();
  const holds = Array.from({ length: 8 }, (_, index) => {
    steps.noteSwitch(0, index);
    return steps.noteFailed(index) / minute;
  });
  expect(holds).toEqual([10, 20, 40, 80, 160, 320, 360, 360]);
  expect(steps.failed).toBe(8);
  expect(steps.memory()).toEqual({ missedAtMs: null, stepDown: null, heldOffUntilMs: 7 + 360 * minute });
});

test("a step down that users did not notice for ten minutes was right: the next failure counts as the first", () => {
  const steps = new StepDowns();
  steps.noteFailed(0);
  steps.noteFailed(0);
  steps.noteSwitch(1, 0);
  steps.noteKept(10 * minute);
  expect(steps.memory().stepDown).toEqual({ fromModeId: 1, atMs: 0 });
  steps.noteKept(10 * minute + 1);
  expect(steps.memory().stepDown).toBeNull();
  expect(steps.noteFailed(0)).toBe(10 * minute);
  // Counted from the step, whenever that was.
  steps.noteSwitch(1, 60 * minute);
  steps.noteKept(61 * minute);
  expect(steps.memory().stepDown).not.toBeNull();
});

test("another switch ends the judgement of the last step down", () => {
  const steps = new StepDowns();
  steps.noteSwitch(1, 5);
  steps.noteSwitch(null, 6);
  steps.noteMissed(7);
  expect(steps.memory()).toEqual({ missedAtMs: 7, stepDown: null, heldOffUntilMs: null });
});

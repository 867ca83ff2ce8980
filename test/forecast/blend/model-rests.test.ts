import { expect, test } from "bun:test";
import { ModelRests } from "#forecast/blend/model-rests.ts";
import { dayMs } from "#platform/time.ts";

const models = [{ name: "good" }, { name: "bad" }];
const start = Date.UTC(2026, 0, 5);

/** Names of the models that work on each day, when only the good one ever has a share. */
function workingByDay(days: number): string[] {
  const rests = new ModelRests();
  return Array.from({ length: days }, (_, day) => {
    const nowMs = start + day * dayMs;
    const names = rests.working(models, nowMs).map(({ name }) => name);
    rests.observe(names, ["good"], nowMs);
    return names.join(" ");
  });
}

test("a model without a share works for two days, rests for a week, and is tried again", () => {
  const [both, alone] = ["good bad", "good"];
  expect(workingByDay(13)).toEqual([both, both, ...new Array(7).fill(alone), both, both, alone, alone]);
});

test("a trial begins with a model's first forecast", () => {
  const rests = new ModelRests();
  rests.observe(["good"], ["good"], start);
  expect(rests.working(models, start + 5 * dayMs)).toEqual([{ name: "bad" }]);
});

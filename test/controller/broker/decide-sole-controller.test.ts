import { expect, test } from "bun:test";
import { decideSoleController, type SoleController } from "#controller/broker/decide-sole-controller.ts";
import { explainSoleController } from "#controller/broker/explain-sole-controller.ts";

const nowMs = Date.UTC(2030, 0, 1);
const own = { instanceId: "b", sinceMs: nowMs - 1000 };
const other = { instanceId: "c", status: "online", sinceMs: nowMs, answersUs: false } as const;
const first = { ...other, sinceMs: nowMs - 1001 };
const tenYearsMs = 10 * 366 * 86_400_000;

test.each<[string, Parameters<typeof decideSoleController>[1], SoleController["kind"], SoleController["rule"]]>([
  ["its own message", { ...other, instanceId: "b" }, "alone", "own-message"],
  ["one that came later", other, "insist", "started-later"],
  ["one that came later, answering", { ...other, answersUs: true }, "insist", "started-later"],
  ["one that says it was first", first, "ask", "not-confirmed"],
  ["one that was first, answering", { ...first, answersUs: true }, "yield", "confirmed"],
  ["a tie, the smaller id stays", { ...other, sinceMs: own.sinceMs }, "insist", "started-later"],
  [
    "a tie, the larger id goes",
    { ...first, instanceId: "a", sinceMs: own.sinceMs, answersUs: true },
    "yield",
    "confirmed",
  ],
  ["one without a start", { instanceId: "c", status: "online", answersUs: true }, "insist", "no-credible-start"],
  ["one that says 1970", { ...other, sinceMs: 0, answersUs: true }, "insist", "no-credible-start"],
  ["one of more than ten years", { ...first, sinceMs: nowMs - tenYearsMs - 1 }, "insist", "no-credible-start"],
  ["one of ten years", { ...first, sinceMs: nowMs - tenYearsMs }, "ask", "not-confirmed"],
  ["one of the future", { ...other, sinceMs: 1e15, answersUs: true }, "insist", "started-later"],
  ["the end or will of another", { ...first, status: "offline", answersUs: true }, "insist", "says-offline"],
])("%s", (_name, said, kind, rule) => {
  expect(decideSoleController(own, said, nowMs)).toEqual({ kind, rule, other: said.instanceId });
});

test("of two that answer, exactly one stays, whichever decides", () => {
  for (const sinceMs of [nowMs, nowMs - 5000, own.sinceMs]) {
    const claim = { instanceId: "c", sinceMs };
    const kinds = [
      decideSoleController(own, { ...claim, status: "online", answersUs: true }, nowMs).kind,
      decideSoleController(claim, { ...own, status: "online", answersUs: true }, nowMs).kind,
    ];
    expect(kinds.toSorted()).toEqual(["insist", "yield"]);
  }
});

test.each<[SoleController["rule"], string]>([
  ["own-message", "this is the controller's own message"],
  ["says-offline", "another controller announced that this fleet has none"],
  ["confirmed", "another controller (c) acts for this fleet at the same broker, with a store of its own"],
  [
    "started-later",
    "another controller (c) acts for this fleet at the same broker, with a store of its own; it started later and has to yield",
  ],
])("explains %s", (rule, sentence) => {
  expect(explainSoleController({ kind: "insist", rule, other: "c" })).toBe(sentence);
});

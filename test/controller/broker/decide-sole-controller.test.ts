import { expect, test } from "bun:test";
import { decideSoleController } from "#controller/broker/decide-sole-controller.ts";

const nowMs = Date.UTC(2030, 0, 1);
const own = { instanceId: "b", sinceMs: nowMs - 1000 };
const other = { instanceId: "c", status: "online", sinceMs: nowMs, answersUs: false } as const;
const first = { ...other, sinceMs: nowMs - 1001 };

test.each<[string, Parameters<typeof decideSoleController>[1], string]>([
  ["its own word", { ...other, instanceId: "b" }, "alone"],
  ["one that came later", other, "insist"],
  ["one that came later, answering", { ...other, answersUs: true }, "insist"],
  ["one that says it was first", first, "ask"],
  ["one that was first, answering", { ...first, answersUs: true }, "yield"],
  ["a tie, the smaller id stays", { ...other, sinceMs: own.sinceMs }, "insist"],
  ["a tie, the larger id goes", { ...first, instanceId: "a", sinceMs: own.sinceMs, answersUs: true }, "yield"],
  ["one that does not say since when", { instanceId: "c", status: "online", answersUs: true }, "insist"],
  ["one that says since 1970", { ...other, sinceMs: 0, answersUs: true }, "insist"],
  ["one that says since the future", { ...other, sinceMs: 1e15, answersUs: true }, "insist"],
  ["the leave or will of another", { ...first, status: "offline", answersUs: true }, "insist"],
])("%s", (_name, said, kind) => {
  expect(decideSoleController(own, said, nowMs).kind as string).toBe(kind);
});

test("of two that answer, exactly one stays, whoever is asked", () => {
  for (const sinceMs of [nowMs, nowMs - 5000, own.sinceMs]) {
    const claim = { instanceId: "c", sinceMs };
    const kinds = [
      decideSoleController(own, { ...claim, status: "online", answersUs: true }, nowMs).kind,
      decideSoleController(claim, { ...own, status: "online", answersUs: true }, nowMs).kind,
    ];
    expect(kinds.toSorted()).toEqual(["insist", "yield"]);
  }
});

import { expect, test } from "bun:test";
import { decideSoleController } from "#controller/broker/decide-sole-controller.ts";

const own = { instanceId: "b", sinceMs: 1000 };
const other = { instanceId: "c", status: "online", sinceMs: 2000 } as const;

test.each<[string, Parameters<typeof decideSoleController>[1], string]>([
  ["its own word", { ...other, instanceId: "b" }, "alone"],
  ["one that came later", other, "insist"],
  ["one that was first", { ...other, sinceMs: 999 }, "yield"],
  ["a tie, the smaller id stays", { ...other, sinceMs: 1000 }, "insist"],
  ["a tie, the larger id goes", { ...other, instanceId: "a", sinceMs: 1000 }, "yield"],
  ["a version that can't tell", { instanceId: "c", status: "online" }, "yield"],
  ["the leave or will of another", { ...other, status: "offline" }, "insist"],
])("%s", (_name, said, kind) => {
  expect(decideSoleController(own, said).kind as string).toBe(kind);
});

test("of two, exactly one stays, whoever is asked", () => {
  for (const [a, b] of [
    [own, { ...other }],
    [own, { ...other, sinceMs: 1 }],
    [own, { ...other, sinceMs: 1000 }],
  ] as const) {
    const kinds = [decideSoleController(a, b).kind, decideSoleController(b, { ...a, status: "online" }).kind];
    expect(kinds.toSorted()).toEqual(["insist", "yield"]);
  }
});

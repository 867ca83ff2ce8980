import { expect, test } from "bun:test";
import { parseControllerConfig } from "#controller/check-config.ts";
import { UsageError } from "#platform/errors.ts";

const machine = (id: string) => ({ id, listen: "127.0.0.1:8081" });
const offer = (given: object) => ({ id: "spot", kind: "spot", capacityQps: 300, ...given });

test("nothing at all is a configuration", () => {
  expect(parseControllerConfig({}, "c.yaml").scaling.cloud).toEqual([]);
  expect(parseControllerConfig(null, "c.yaml").api.port).toBe(7070);
});

test.each<[string, object, string[]]>([
  ["limits in disorder", { minReplicas: 9, maxReplicas: 3 }, ["scaling.minReplicas: expected at most maxReplicas (3)"]],
  ["a machine twice", { capacity: { process: [machine("a"), machine("a")] } }, ["scaling.capacity.process.1.id: "]],
  ["units that nothing switches", { cloud: [offer({ agents: ["a"] })] }, ["scaling.cloud.0.agents.0: "]],
  [
    "beside what the schema refuses",
    { cloud: [offer({}), offer({ kind: "dear" })] },
    ["scaling.cloud.1.kind: ", "scaling.cloud.1.id: "],
  ],
  ["what can't be looked into", { cloud: "all of it" }, ["scaling.cloud: expected array"]],
])("%s", (_name, scaling, says) => {
  const parse = () => parseControllerConfig({ scaling }, "c.yaml");
  expect(parse).toThrow(UsageError);
  for (const text of says) expect(parse).toThrow(text);
});

test("units that a process or a webhook switches are no mistake", () => {
  const capacity = {
    process: [machine("a")],
    webhooks: [{ url: "https://power.example/", secretEnv: "S", agents: ["b"] }],
  };
  expect(() =>
    parseControllerConfig({ scaling: { capacity, cloud: [offer({ agents: ["a", "b"] })] } }, "c"),
  ).not.toThrow();
});

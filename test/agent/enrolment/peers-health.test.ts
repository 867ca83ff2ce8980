import { expect, test } from "bun:test";
import { peersHealth } from "#agent/enrolment/peers-health.ts";

const none = { certFile: null, keyFile: null, fleet: false, hosts: [] };

test.each([
  ["while passwords count", "0.0.0.0", none, false, "healthy", /may take part/],
  ["on this machine alone", "127.0.0.1", none, true, "healthy", /certificates only/],
  ["with the fleet's certificate", "0.0.0.0", { ...none, fleet: true }, true, "healthy", /certificates only/],
  [
    "with files of its own",
    "0.0.0.0",
    { ...none, certFile: "/c", keyFile: "/k" },
    true,
    "healthy",
    /certificates only/,
  ],
  ["without encryption", "0.0.0.0", none, true, "degraded", /passwordsUntil has passed.*serving\.tls\.fleet: true/],
] as const)("an agent's part in the mesh, %s", (_, host, tls, required, status, detail) => {
  const health = peersHealth({ host, tls: { ...tls, hosts: [] } }, { areRequired: () => required }, []);
  expect(health).toMatchObject({ status, detail: expect.stringMatching(detail) });
});

test("an agent that leaves out others, as they do not encrypt, names them", () => {
  const others = ["a", "b", "c", "d"].map((agentId) => ({ agentId, url: `http://${agentId}:8080` }));
  const all = [...others, { agentId: "e", url: "https://e:8080" }];
  const serving = { host: "127.0.0.1", tls: none };
  expect(peersHealth(serving, { areRequired: () => true }, all)).toMatchObject({
    status: "degraded",
    detail: expect.stringContaining("4 of 5 other agents are not used, because they do not encrypt (a, b, c, …)"),
  });
  expect(peersHealth(serving, { areRequired: () => false }, all).status).toBe("healthy");
});

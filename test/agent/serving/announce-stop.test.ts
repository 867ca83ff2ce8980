import { expect, spyOn, test } from "bun:test";
import { type TestServing, testServing } from "./start-serving.ts";

const embed = ({ serving }: TestServing) =>
  fetch(`${serving.url}/api/v1/embed`, { method: "POST", body: JSON.stringify({ inputs: ["a robot"] }) });
const readiness = async ({ serving }: TestServing) => await (await fetch(`${serving.url}/readyz`)).json();

test("an announced stop is told by /readyz, and requests are answered until the listener is closed, whatever the role becomes", async () => {
  const server = testServing({ stopAnnounceMs: 1 });
  await server.serving.start();
  expect(await readiness(server)).toEqual({ status: "ready" });
  server.serving.announceStop();
  server.role.role = "draining";
  expect(await readiness(server)).toEqual({ status: "not ready", reason: "stopping" });
  const answer = await embed(server);
  expect([answer.status, answer.headers.get("connection")]).toEqual([200, "close"]);
  await server.serving.stop();
});

test("a stop that was announced long enough ago waits no longer", async () => {
  const announceMs = 600_000;
  const server = testServing({ stopAnnounceMs: announceMs });
  await server.serving.start();
  server.serving.announceStop();
  const now = performance.now.bind(performance);
  const later = spyOn(performance, "now").mockImplementation(() => now() + announceMs);
  try {
    await server.serving.stop();
  } finally {
    later.mockRestore();
  }
  expect(await embed(server).catch(() => "refused")).toBe("refused");
});

test("the time between the announcement and the stop counts, and an agent that stands by announces nothing", async () => {
  const server = testServing({ stopAnnounceMs: 300 });
  await server.serving.start();
  server.serving.announceStop();
  const announcedMs = performance.now();
  await server.serving.stop();
  expect(performance.now() - announcedMs).toBeGreaterThanOrEqual(290);
  expect(await embed(server).catch(() => "refused")).toBe("refused");

  const standby = testServing({ stopAnnounceMs: 600_000 });
  await standby.serving.start();
  standby.role.role = "standby";
  await standby.serving.stop();
  expect(await embed(standby).catch(() => "refused")).toBe("refused");
});

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fastClock } from "../fakes/fast-clock.ts";
import { createMosquitto, type Mosquitto } from "../fakes/mosquitto.ts";
import { embedTexts, eventually, type Program, startConfigured, temporaryDirectory, untilReady } from "./program.ts";
import { collectRecords, type RecordCollector, requestsIn } from "./record-collector.ts";
import { mayMountDisks, mountSmallDisk, type SmallDisk } from "./small-disk.ts";

// A minute of the agent's clock passes in 250 ms: an hour in 15 s.
const clock = fastClock(240);

let mosquitto: Mosquitto;
let directory: ReturnType<typeof temporaryDirectory>;
let disk: SmallDisk;
let program: Program | undefined;

describe.skipIf(!mayMountDisks())("an agent whose disk fails", () => {
  beforeAll(async () => {
    mosquitto = await createMosquitto();
  });
  afterAll(() => mosquitto.dispose());
  beforeEach(() => {
    directory = temporaryDirectory();
    disk = mountSmallDisk(join(directory.path, "disk"), 2);
  });
  afterEach(async () => {
    await program?.stop("SIGKILL");
    disk.unmount();
    directory.remove();
  });

  async function startAgent(env: Record<string, string> = {}) {
    const config = {
      fleet: "disk",
      id: "thor-1",
      stateDir: join(disk.path, "state"),
      broker: { url: mosquitto.url },
      serving: { host: "127.0.0.1", port: 0, cacheBytes: 0 },
      power: { board: "none" },
      clock,
    };
    const started = await startConfigured("agent", config, directory.path, { env });
    program = started;
    return { program: started, ...(await untilReady(started)) };
  }

  const collect = () => collectRecords(mosquitto.url, "disk", "thor-1", { announces: false });
  /** Records of a collector, without repeats. */
  const recordsOf = ({ records }: RecordCollector) => [
    ...new Map(records.map((record) => [`${record.bootId}/${record.seq}`, record])).values(),
  ];
  const requestsOf = (collector: RecordCollector) => requestsIn(recordsOf(collector));
  const storage = async (url: string) => {
    const health = (await (await fetch(`${url}/health`)).json()) as {
      checks: { storage: string };
      details: { storage: string };
    };
    return { status: health.checks.storage, detail: health.details.storage };
  };
  const status = async (url: string) =>
    (await (await fetch(`${url}/api/v1/status`)).json()) as {
      nowMs: number;
      outbox: { entries: number; droppedRecords: number };
      storage: { failing: object | null; waiting: { records: number } };
    };

  test.each(["online", "offline"] as const)(
    "full for an hour while the controller is %s: said, and not one request is missing from the record",
    async (controller) => {
      const { program, url } = await startAgent();
      const collector = await collect();
      await collector.say("online");
      await embedTexts(url, 5);
      await eventually(
        async () => requestsOf(collector),
        (requests) => requests === 5,
      );
      expect((await storage(url)).status).toBe("healthy");
      await collector.say(controller);
      disk.fill();
      const fromMs = (await status(url)).nowMs;
      let asked = 5;
      while ((await status(url)).nowMs - fromMs < 3_600_000) {
        await embedTexts(url, 5);
        asked += 5;
        await Bun.sleep(50);
      }
      expect(await storage(url)).toMatchObject({
        status: "degraded",
        detail: expect.stringMatching(/not written since .*full.*waiting in memory/),
      });
      expect((await fetch(`${url}/readyz`)).status).toBe(200);
      expect((await status(url)).outbox.droppedRecords).toBe(0);
      expect(await (await fetch(`${url}/metrics`)).text()).toMatch(/^thormesh_storage_failing 1$/m);
      if (controller === "online")
        // From memory, while the disk is still full.
        await eventually(
          async () => requestsOf(collector),
          (requests) => requests === asked,
        );
      disk.empty();
      await eventually(
        () => storage(url),
        (check) => check.status === "healthy",
      );
      await collector.say("online");
      await embedTexts(url, 5);
      expect(await program.stop("SIGTERM")).toBe(0);
      await eventually(
        async () => requestsOf(collector),
        (requests) => requests === asked + 5,
      );
      const seqs = recordsOf(collector)
        .map(({ seq }) => seq)
        .sort((a, b) => a - b);
      expect(seqs).toEqual(seqs.map((_, index) => index + 1));
      await collector.stop();
    },
  );

  test.each<{ name: string; spoil: () => void; mend: () => void }>([
    { name: "full", spoil: () => disk.fill(), mend: () => disk.empty() },
    { name: "read-only", spoil: () => disk.remount("ro"), mend: () => disk.remount("rw") },
  ])("$name at the start: it serves, says so, records in memory, and on disk once it can", async ({ spoil, mend }) => {
    spoil();
    const { program, url } = await startAgent();
    const collector = await collect();
    await collector.say("offline");
    await embedTexts(url, 5);
    await eventually(
      () => status(url),
      ({ outbox }) => outbox.entries >= 3,
    );
    expect((await storage(url)).status).toBe("degraded");
    mend();
    await eventually(
      () => storage(url),
      (check) => check.status === "healthy",
    );
    // If it is killed now, its counts are on disk.
    await program.stop("SIGKILL");
    const second = await startAgent();
    await collector.say("online");
    await eventually(
      async () => requestsOf(collector),
      (requests) => requests === 5,
    );
    expect(await second.program.stop("SIGTERM")).toBe(0);
    await collector.stop();
  });

  test("all of the machine's disk is full, the directory for temporary files too: it serves", async () => {
    const [HOME, TMPDIR] = [join(disk.path, "home"), join(disk.path, "tmp")];
    for (const path of [HOME, TMPDIR]) mkdirSync(path);
    disk.fill();
    const { program, url } = await startAgent({ HOME, TMPDIR, XDG_CACHE_HOME: "" });
    await embedTexts(url, 5);
    expect((await storage(url)).status).toBe("degraded");
    expect(await program.stop("SIGTERM")).toBe(0);
  });

  test("its directory is deleted while it runs: nothing is lost either", async () => {
    const { program, url } = await startAgent();
    const collector = await collect();
    await collector.say("offline");
    await embedTexts(url, 5);
    await eventually(
      () => status(url),
      ({ outbox }) => outbox.entries >= 3,
    );
    rmSync(join(disk.path, "state"), { recursive: true });
    await program.untilLogged("the state file was deleted: recreating it");
    await embedTexts(url, 5);
    const { nowMs } = await status(url);
    await eventually(
      () => status(url),
      (now) => now.nowMs > nowMs + 180_000,
    );
    await program.stop("SIGKILL");
    const second = await startAgent();
    await collector.say("online");
    await eventually(
      async () => requestsOf(collector),
      (requests) => requests === 10,
    );
    expect(await second.program.stop("SIGTERM")).toBe(0);
    await collector.stop();
  });
});

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, readdirSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runRollback, runUpdate, type UpdateRequest } from "#tools/update/run-update.ts";
import type { UpdateConfig } from "#tools/update/update-config.ts";
import { temporaryDirectory } from "../../e2e/program.ts";
import {
  createSigningKey,
  installVersion,
  type ReleaseServer,
  releaseFiles,
  releaseTimeMs,
  serveReleases,
  tinyProgram,
} from "../../fakes/releases.ts";

/** Action on a device: an update that stays, one that is given up, going back. */
type Step = "update" | "fail" | "rollback";
const steps: readonly Step[] = ["update", "fail", "rollback"];
const ordersOf = (length: number): (readonly Step[])[] =>
  length === 0 ? [[]] : ordersOf(length - 1).flatMap((begun) => steps.map((step) => [...begun, step]));

const key = createSigningKey();
const guard = join(import.meta.dir, "../../../deploy/boot-check");
const starts = 4;
const request: UpdateRequest = {
  ...{ version: null, file: null, allowDowngrade: false, allowExpired: false, byFleet: false },
};
const say = () => {};
const versionAt = (link: string) => readlinkSync(link).split("/").at(-1) as string;

let directory: ReturnType<typeof temporaryDirectory>;
let server: ReleaseServer;
/** Link to the version in force of the device that is tried. */
let inForce: string;
/** Answers as the agent of the device that is tried, in the version in force there. */
let agents: ReturnType<typeof Bun.serve>;
beforeAll(() => {
  directory = temporaryDirectory();
  server = serveReleases();
  agents = Bun.serve({
    ...{ port: 0, hostname: "127.0.0.1" },
    fetch: () => Response.json({ version: versionAt(inForce) }),
  });
});
afterAll(() => {
  agents.stop(true);
  server.stop();
  directory.remove();
});

/** Device whose service never starts with a version that is to fail: each start asks the guard, which goes back at the fourth. */
function createDevice(name: string) {
  const prefix = join(directory.path, name);
  installVersion(prefix, "0.1.0");
  inForce = join(prefix, "current");
  const restart = join(directory.path, `${name}-restart`);
  writeFileSync(
    restart,
    `#!/bin/sh\nfor start in ${Array.from({ length: starts }, (_, index) => index).join(" ")}; do sh ${guard} agent ${prefix} 2>/dev/null; done\n`,
  );
  chmodSync(restart, 0o755);
  const config: UpdateConfig = {
    ...{ url: `${server.url}/${name}`, prefix, link: null, publicKeys: [key.publicKey] },
    ...{ healthWindowS: 1, startWithinS: 600, minBytesPerS: 1 },
    ...{ services: [], restartCommand: null },
  };
  const service = { kind: "agent", config: null, unit: null, url: `http://127.0.0.1:${agents.port}` } as const;
  let made = 1;
  const linked = (link: string) => {
    try {
      return versionAt(join(prefix, link));
    } catch {
      return null;
    }
  };
  return {
    links: () => ({ current: linked("current"), previous: linked("previous") }),
    versions: () => readdirSync(join(prefix, "versions")).sort(),
    runs: (version: string) => existsSync(join(prefix, "versions", version, "thormesh")),
    async take(step: Step): Promise<string | null> {
      if (step === "rollback")
        return await runRollback(config, say).then(
          () => null,
          (error: Error) => error.message,
        );
      made += 1;
      const version = `0.${made}.0`;
      server.publish(
        releaseFiles(key, {
          ...{ version, executable: tinyProgram(version), releasedAtMs: releaseTimeMs + made * 1000 },
        }),
        name,
      );
      const failing = { ...config, services: [service], restartCommand: [restart] };
      const { state } = await runUpdate(step === "update" ? config : failing, request, say);
      expect(state).toBe(step === "update" ? "healthy" : "returned");
      return null;
    },
  };
}

const orders = [...ordersOf(3), ["update", "fail", "update", "rollback", "rollback"] as const];

describe("`previous` leads to the version that was in force before, or nowhere, never to the one in force", () => {
  test.each(orders.map((order) => [order.join(", "), order] as const))("%s", async (name, order) => {
    const device = createDevice(name.replaceAll(", ", "-"));
    let [current, previous, made]: [string, string | null, number] = ["0.1.0", null, 1];
    for (const step of order) {
      const said = await device.take(step);
      if (step !== "rollback") made += 1;
      if (step === "update") [current, previous] = [`0.${made}.0`, current];
      else if (step === "rollback") {
        expect(said).toEqual(
          previous === null ? expect.stringContaining(`there is no version before ${current} to roll back to`) : null,
        );
        if (previous !== null) [current, previous] = [previous, null];
      }
      expect(device.links()).toEqual({ current, previous });
      expect(device.runs(current)).toBe(true);
      if (previous !== null) expect(device.runs(previous)).toBe(true);
      // Those two and the one that was left last.
      expect(device.versions().length).toBeLessThanOrEqual(3);
    }
  });
});

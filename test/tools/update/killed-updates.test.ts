import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { type FaultPoint, faultPoints } from "#tools/update/fault-points.ts";
import { eventually, temporaryDirectory } from "../../e2e/program.ts";
import { createSigningKey, type ReleaseServer, releaseFiles, serveReleases } from "../../fakes/releases.ts";
import { createDevice, type Manner, type UpdatableDevice } from "../../fakes/updatable-device.ts";

const key = createSigningKey();
const atOnce = 5;
let directory: ReturnType<typeof temporaryDirectory>;
let server: ReleaseServer;

beforeAll(() => {
  directory = temporaryDirectory();
  server = serveReleases();
});
afterAll(() => {
  server.stop();
  directory.remove();
});

/** Points that only a version which is given up comes by. */
const ofReturns: readonly FaultPoint[] = ["return-begun", "return-link", "restarted-again", "returned"];
/** Points of an installation without versions; {@link adoption} below. */
const ofAdoption: readonly FaultPoint[] = ["adopted-file", "adopted"];
const ofUpdates = faultPoints.filter((point) => !ofReturns.includes(point) && !ofAdoption.includes(point));

const health = async (device: UpdatableDevice): Promise<{ readonly version: string }> =>
  (await (await fetch(`${device.url}/health`)).json()) as { readonly version: string };
const untilServed = (device: UpdatableDevice, version: string) =>
  eventually(
    () => health(device),
    (answer) => answer.version === version,
  );

/** Runs something with a device of its own, which has 0.1.0 and is offered a 0.2.0 of this manner. */
async function withDevice<T>(name: string, manner: Manner, work: (device: UpdatableDevice) => Promise<T>): Promise<T> {
  // A good version is well long before; of a bad one it takes long enough that its fault is seen on a busy machine, too.
  const startWithinS = manner === "good" ? 120 : 8;
  const device = await createDevice(join(directory.path, name), {
    ...{ releases: `${server.url}/${name}`, key, startWithinS },
  });
  server.publish(releaseFiles(key, { version: "0.2.0", executable: device.program("0.2.0", manner) }), name);
  device.start();
  try {
    await untilServed(device, "0.1.0");
    return await work(device);
  } finally {
    await device.stop();
  }
}

/** Runs work for each of them, some at a time. */
async function forEach<T>(all: readonly T[], work: (each: T) => Promise<void>): Promise<void> {
  const waiting = [...all];
  const lane = async () => {
    for (let each = waiting.shift(); each !== undefined; each = waiting.shift()) await work(each);
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
}

test("an update that is killed at any step leaves a version that serves, and the next update succeeds", () =>
  forEach(ofUpdates, (point) =>
    withDevice(`good-${point}`, "good", async (device) => {
      const killed = await device.update(["update"], point);
      expect({ point, ...killed }).toMatchObject({ point, exitCode: 137 });
      expect({ point, says: await device.says() }).toEqual({
        point,
        says: expect.stringMatching(/^thormesh 0\.[12]\.0 /),
      });
      await eventually(
        () => health(device),
        ({ version }) => /^0\.[12]\.0$/.test(version),
      );
      const again = await device.update(["update"]);
      expect({ point, ...again }).toMatchObject({ point, exitCode: 0 });
      expect({ point, inForce: device.inForce() }).toEqual({ point, inForce: "0.2.0" });
      await untilServed(device, "0.2.0");
    }),
  ));

test("a return that is killed at any step ends with the version before", () =>
  forEach(ofReturns, (point) =>
    withDevice(`bad-${point}`, "unready", async (device) => {
      expect({ point, ...(await device.update(["update"], point)) }).toMatchObject({ point, exitCode: 137 });
      const resumed = await device.update(["update", "--resume"]);
      expect({ point, ...resumed }).toMatchObject({ point, exitCode: 0 });
      expect({ point, inForce: device.inForce() }).toEqual({ point, inForce: "0.1.0" });
      await untilServed(device, "0.1.0");
      const ordered = join(directory.path, `order-${point}`);
      await Bun.write(ordered, '{"version": "0.2.0"}');
      server.publish(
        releaseFiles(key, { version: "0.2.0", executable: device.program("0.2.0") }),
        `bad-${point}/0.2.0`,
      );
      const { output } = await device.update(["update", "--order", ordered]);
      expect(output).toContain("0.2.0 has failed on this machine, so the fleet's orders do not try it again");
    }),
  ));

const faults: readonly (readonly [Manner, RegExp])[] = [
  ["dead", /the agent did not answer|it did not start/],
  ["silent", /the agent did not answer/],
  ["unready", /the agent was not ready/],
  ["no-vectors", /the agent did not answer a request for vectors/],
  ["no-broker", /the agent did not reach the fleet's broker, as it did before/],
];

test("a version that is not well is given up with the reason, and the one before serves again", () =>
  forEach(faults, ([manner, reason]) =>
    withDevice(`given-up-${manner}`, manner, async (device) => {
      const { exitCode, output } = await device.update(["update"]);
      expect({ exitCode, output }).toEqual({ exitCode: 1, output: expect.stringMatching(reason) });
      expect(output).toContain("version 0.1.0 is running again");
      await untilServed(device, "0.1.0");
    }),
  ));

test("a version that does not start is left at boot, although nothing of the update is alive any more", () =>
  withDevice("guarded", "dead", async (device) => {
    expect(await device.update(["update"], "restarted")).toMatchObject({ exitCode: 137 });
    await untilServed(device, "0.1.0");
    const { output } = await device.update(["update", "--resume"]);
    expect(output).toContain("0.2.0 did not start, and the boot guard rolled back to 0.1.0");
    await untilServed(device, "0.1.0");
  }));

test("of two updates at once one waits to be asked again", () =>
  withDevice("twice", "good", async (device) => {
    const both = await Promise.all([device.update(["update"]), device.update(["update"])]);
    expect(both.map(({ exitCode }) => exitCode).sort()).toEqual([0, 1]);
    expect(both.map(({ output }) => output).join()).toContain("is in progress: wait for it");
    expect(device.inForce()).toBe("0.2.0");
  }));

test("rollback goes back and says so as JSON", () =>
  withDevice("back", "good", async (device) => {
    await device.update(["update"]);
    const { exitCode, output } = await device.update(["rollback", "--json"]);
    expect(exitCode).toBe(0);
    expect(JSON.parse(output)).toEqual({ state: "returned", version: "0.1.0", reason: "rolled back by an operator" });
    await untilServed(device, "0.1.0");
  }));

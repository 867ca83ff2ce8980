import { copyFileSync, existsSync, openSync, readdirSync, rmSync, statSync, writeSync } from "node:fs";
import { createConnection } from "node:net";
import { join } from "node:path";
import { hourMs, minuteMs, secondMs } from "#platform/time.ts";
import type { SmallDisk } from "../../test/e2e/small-disk.ts";
import { childrenOf, type FaultFleet, serverName } from "./fault-fleet.ts";
import { slowSubscribers } from "./slow-subscribers.ts";

/** Fleet and means that a fault works with. */
export interface FaultScene {
  readonly fleet: FaultFleet;
  /** Small disks by the name of whose records they hold; none where this user may not mount. */
  readonly disks: ReadonlyMap<string, SmallDisk>;
  /** Real time of some minutes of the fleet's clock. */
  readonly aWhileMs: number;
  readonly random: () => number;
  /** Databases of the controller that were moved aside, for the check. */
  readonly setAside: string[];
  /** Tells of something that went wrong while the fault lasted and leaves no trace. */
  readonly complain: (what: string) => void;
}

export interface Fault {
  readonly name: string;
  /** Only in a full run: it takes long. */
  readonly isLong?: boolean;
  /** Reason why it can't be tried here; null: it can. */
  readonly skipped?: (scene: FaultScene) => string | null;
  /** Breaks something, waits a while and, where it does not mend itself, mends it. */
  readonly inflict: (scene: FaultScene) => Promise<void>;
}

const someAgent = ({ fleet, random }: FaultScene) =>
  fleet.agentIds[Math.floor(random() * fleet.agentIds.length)] as string;

const killAndRestart = (name: string, whom: (scene: FaultScene) => readonly string[]): Fault => ({
  name,
  async inflict(scene) {
    const names = whom(scene);
    for (const each of names) await scene.fleet.kill(each);
    await Bun.sleep(scene.random() * scene.aWhileMs);
    // In another order each time: none may depend on that, and one may wait for another.
    await Promise.all(names.toSorted(() => scene.random() - 0.5).map((each) => scene.fleet.restart(each)));
  },
});

const suspended = (name: string, whom: (scene: FaultScene) => string): Fault => ({
  name,
  async inflict(scene) {
    const pid = scene.fleet.pidOf(whom(scene));
    process.kill(pid, "SIGSTOP");
    await Bun.sleep(scene.aWhileMs);
    process.kill(pid, "SIGCONT");
  },
});

const atServer = ({ fleet }: FaultScene) => (fleet.hasServer ? "its records are at a server" : null);
const noServer = ({ fleet }: FaultScene) => (fleet.hasServer ? null : "no server holds its records (--store postgres)");

const onDisk = (
  name: string,
  inflict: (disk: SmallDisk, scene: FaultScene) => Promise<void>,
  whose: "agent" | "controller",
): Fault => {
  const diskOf = ({ fleet, disks }: FaultScene) =>
    disks.get(whose === "controller" ? "controller" : (fleet.agentIds[0] as string));
  return {
    name: `${name} of ${whose === "agent" ? "an agent" : "the controller"}`,
    skipped: (scene) =>
      (whose === "controller" ? atServer(scene) : null) ??
      (diskOf(scene) === undefined ? "this user may not mount a small disk" : null),
    async inflict(scene) {
      const disk = diskOf(scene);
      if (disk !== undefined) await inflict(disk, scene);
    },
  };
};
async function fullDisk(disk: SmallDisk, { aWhileMs }: FaultScene): Promise<void> {
  disk.fill();
  await Bun.sleep(aWhileMs);
  disk.empty();
}
/** A disk becomes read-only only while nobody writes to it: the process is ended before, and started again on it. */
const readOnly =
  (whose: "agent" | "controller") =>
  async (disk: SmallDisk, { fleet, aWhileMs }: FaultScene) => {
    const name = whose === "controller" ? "controller" : (fleet.agentIds[0] as string);
    await fleet.kill(name);
    disk.remount("ro");
    // One that can't start so is started again afterwards, as a supervisor does.
    const isUp = await fleet.restart(name).then(
      () => true,
      () => false,
    );
    await Bun.sleep(aWhileMs);
    disk.remount("rw");
    if (!isUp) await fleet.restart(name);
  };

/** Flips the bytes of a file from a place on. */
function flip(path: string, from: number, bytes: number): void {
  const file = openSync(path, "r+");
  writeSync(file, new Uint8Array(bytes).fill(0xa5), 0, bytes, Math.min(from, Math.max(0, statSync(path).size - bytes)));
}

async function link(scene: FaultScene, state: "half-open" | "closed" | { readonly delayMs: number }): Promise<void> {
  const { fleet, aWhileMs } = scene;
  const links = [...fleet.links.values()];
  for (const each of links) each.set(state);
  await Bun.sleep(aWhileMs);
  for (const each of links) each.set("open");
}

/** Connects to the broker and sends bytes that are no MQTT, or too much of it. */
async function hostilePackets({ fleet, aWhileMs, random }: FaultScene): Promise<void> {
  const endMs = performance.now() + aWhileMs;
  const beginnings = [
    [0x10, 0xff, 0xff, 0xff, 0xff, 0x7f],
    [0x10, 0x0c, 0, 4, 77, 81, 84, 84, 4, 0xff],
    [0x30, 0xff, 0xff, 0xff, 0x7f],
    [0x82, 2, 0, 1],
    [0, 0],
  ];
  while (performance.now() < endMs) {
    await Promise.all(
      beginnings.map(
        (beginning) =>
          new Promise<void>((resolve) => {
            const socket = createConnection(fleet.brokerPort, "127.0.0.1", () => {
              socket.write(
                Buffer.from([...beginning, ...Array.from({ length: 200 }, () => Math.floor(random() * 256))]),
              );
            });
            socket.on("error", () => undefined);
            socket.on("close", () => resolve());
            setTimeout(() => socket.destroy(), 300);
          }),
      ),
    );
  }
}

/** All faults, in the order in which a run tries them. */
export const faults: readonly Fault[] = [
  killAndRestart("kill -9 of an agent", (scene) => [someAgent(scene)]),
  {
    name: "kill -9 of an agent's children",
    async inflict(scene) {
      for (const pid of childrenOf(scene.fleet.pidOf(someAgent(scene)))) process.kill(pid, "SIGKILL");
      await Bun.sleep(scene.aWhileMs);
    },
  },
  killAndRestart("kill -9 of the broker", () => ["broker"]),
  killAndRestart("kill -9 of the controller", () => ["controller"]),
  {
    ...killAndRestart("kill -9 of all at once", ({ fleet }) => [...fleet.agentIds, "broker"]),
    isLong: true,
  },
  {
    name: "kill -9 of the controller while another stands by",
    isLong: true,
    async inflict({ fleet, aWhileMs }) {
      await fleet.startController("second");
      await Bun.sleep(secondMs);
      await fleet.kill("controller");
      await Bun.sleep(aWhileMs);
      // The second has the first one's port for the broker, not for the API.
      await fleet.kill("second");
      await fleet.restart("controller");
    },
  },
  suspended("SIGSTOP of an agent", someAgent),
  suspended("SIGSTOP of the controller", () => "controller"),
  { ...killAndRestart("kill -9 of PostgreSQL", () => [serverName]), skipped: noServer },
  {
    ...killAndRestart("kill -9 of PostgreSQL and the controller", () => [serverName, "controller"]),
    skipped: noServer,
  },
  {
    name: "SIGSTOP of PostgreSQL",
    skipped: noServer,
    async inflict({ fleet, aWhileMs }) {
      const pids = fleet.serverPids();
      for (const pid of pids) process.kill(pid, "SIGSTOP");
      await Bun.sleep(aWhileMs);
      for (const pid of pids) process.kill(pid, "SIGCONT");
    },
  },
  { ...suspended("SIGSTOP of the broker", () => "broker"), isLong: true },
  onDisk("full disk", fullDisk, "agent"),
  onDisk("full disk", fullDisk, "controller"),
  { ...onDisk("read-only disk", readOnly("agent"), "agent"), isLong: true },
  { ...onDisk("read-only disk", readOnly("controller"), "controller"), isLong: true },
  {
    name: "database of an agent with flipped bytes",
    isLong: true,
    async inflict({ fleet }) {
      const agentId = fleet.agentIds.at(-1) as string;
      const path = join(fleet.stateDirOf(agentId), "agent.db");
      // In order, so that nothing waits: what waits in a file that can't be read is lost with it.
      await fleet.kill(agentId, "SIGTERM");
      const copies = readdirSync(fleet.stateDirOf(agentId)).filter((name) => name.includes(".kept-")).length;
      copyFileSync(path, `${path}.kept-${copies + 1}`);
      flip(path, 0, 64);
      await fleet.restart(agentId);
    },
  },
  {
    name: "database of the controller with flipped bytes",
    isLong: true,
    skipped: atServer,
    async inflict({ fleet, setAside }) {
      const path = fleet.databaseOfController;
      await fleet.kill("controller", "SIGTERM");
      const copy = `${path}.kept-${setAside.length + 1}`;
      copyFileSync(path, copy);
      setAside.push(copy);
      flip(path, 0, 64);
      await fleet.restart("controller");
    },
  },
  {
    name: "journal of an agent's database torn",
    isLong: true,
    async inflict({ fleet }) {
      const agentId = fleet.agentIds.at(-1) as string;
      await fleet.kill(agentId, "SIGTERM");
      const journal = join(fleet.stateDirOf(agentId), "agent.db-wal");
      if (existsSync(journal)) rmSync(journal);
      await fleet.restart(agentId);
    },
  },
  ...[hourMs, -hourMs].map(
    (stepMs): Fault => ({
      name: `clock of an agent ${stepMs > 0 ? "an hour ahead" : "an hour behind"} after a restart, then right again`,
      isLong: true,
      async inflict({ fleet, aWhileMs }) {
        const agentId = fleet.agentIds.at(-1) as string;
        await fleet.kill(agentId);
        await fleet.startAgent(agentId, stepMs);
        await Bun.sleep(2 * aWhileMs);
        await fleet.kill(agentId);
        await fleet.startAgent(agentId);
      },
    }),
  ),
  { name: "links with 300 ms of delay", inflict: (scene) => link(scene, { delayMs: 300 }) },
  { name: "half-open connections", inflict: (scene) => link(scene, "half-open") },
  { name: "partition", inflict: (scene) => link(scene, "closed") },
  {
    name: "all connections cut, ten times",
    async inflict({ fleet, aWhileMs }) {
      for (let round = 0; round < 10; round += 1) {
        for (const each of fleet.links.values()) each.cut();
        await Bun.sleep(aWhileMs / 10);
      }
    },
  },
  { name: "hostile MQTT packets", inflict: hostilePackets },
  slowSubscribers,
];

/** Min length of the fleet's time that a fault lasts. */
export const faultLasts = 5 * minuteMs;

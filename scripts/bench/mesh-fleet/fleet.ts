import { join, resolve } from "node:path";
import { boardPresets } from "#agent/power/device/board-presets.ts";
import { createLogger } from "#platform/log.ts";
import { encodeMessage } from "#protocol/codec.ts";
import { Command, Desired } from "#protocol/messages.ts";
import { MqttBroker } from "#protocol/mqtt-broker.ts";
import { agentTopic } from "#protocol/topics.ts";
import { referencePrices } from "#tools/mesh/reference-offers.ts";
import { eventually, type Program, startProgram, temporaryDirectory } from "../../../test/e2e/program.ts";
import { freePort } from "../../../test/fakes/free-port.ts";
import { createMosquitto } from "../../../test/fakes/mosquitto.ts";
import { type PricedUpstream, startPricedUpstream } from "../../../test/fakes/priced-upstream.ts";

export const benchModel = "all-MiniLM-L6-v2";
const dimension = 384;
/** Prices of a request, by kind of backend. */
export const prices = { board: referencePrices.peer, ...referencePrices };
/** Texts per second of the cheaper upstream. */
export const spotQps = 40;
/** Part of a real board's capacity that a simulated one has: six of them, and all else, share this machine. */
const scale = 0.02;
const kinds = [
  { preset: "thor-t5000", mode: "120W", lowMode: "70W" },
  { preset: "jetson-classic", mode: "MAXN", lowMode: "12W" },
] as const;
/** Name of the fleet, at its broker. */
const fleetName = "bench";

export interface BenchBoard {
  readonly id: string;
  readonly url: string;
  /** Texts per second in its usual mode, and in the lower one. */
  readonly capacityQps: number;
  readonly lowQps: number;
  program: Program | null;
}

/** Instructions to a board, as its controller would give them. */
export type Instruction = "serve" | "serve-low" | "stand-by" | "drain";

export interface BenchFleet {
  readonly boards: readonly BenchBoard[];
  /** Addresses that clients know. */
  readonly entries: readonly string[];
  readonly spot: PricedUpstream;
  /** A board that nothing slows down, and an entry that knows no other. */
  readonly hop: { readonly direct: string; readonly through: string; stop(): Promise<void> };
  start(board: BenchBoard): Promise<void>;
  stop(board: BenchBoard, signal: "SIGKILL" | "SIGTERM"): Promise<void>;
  tell(board: BenchBoard, instruction: Instruction): Promise<void>;
  dispose(): Promise<void>;
}

const kindOf = ({ id }: Pick<BenchBoard, "id">) => kinds[id.startsWith("large") ? 0 : 1] as (typeof kinds)[number];

/** Stands in for the controller: tells boards what to be. */
async function createInstructor(url: string) {
  const broker = new MqttBroker({ url, clientId: "instructor" }, createLogger("bench", "silent"));
  await broker.start();
  let version = 0;
  const tell = async (board: BenchBoard, instruction: Instruction) => {
    const { id: agentId } = board;
    const issuedAtMs = Date.now();
    version += 1;
    if (instruction === "drain") {
      const command: Command = {
        ...{ v: 1, id: `drain-${version}`, agentId, kind: "drain", issuedAtMs },
        expiresAtMs: issuedAtMs + 60_000,
      };
      const topic = agentTopic(fleetName, agentId, "cmd");
      await broker.publish(topic, encodeMessage(Command, command), { retain: false });
      return;
    }
    const { mode, lowMode } = kindOf(board);
    const desired: Desired = {
      ...{ v: 1, agentId, version, issuedAtMs, role: instruction === "stand-by" ? "standby" : "active" },
      ...{ powerMode: instruction === "serve-low" ? lowMode : mode, powerModeUntilMs: null, reason: "the bench" },
    };
    await broker.publish(agentTopic(fleetName, agentId, "desired"), encodeMessage(Desired, desired), { retain: true });
  };
  return { tell, stop: () => broker.stop() };
}

/** Address that a started agent tells. */
function urlOf(agent: Program): string {
  const line = agent
    .log()
    .split("\n")
    .find((each) => each.includes('"agent started"'));
  return (JSON.parse(line ?? "{}") as { url: string }).url;
}

/** Waits until an agent knows others. */
async function untilKnown(url: string, ids: readonly string[]): Promise<void> {
  const known = async () => {
    const status = (await (await fetch(`${url}/api/v1/status`)).json()) as { peers: { agentId: string }[] };
    return status.peers.map(({ agentId }) => agentId);
  };
  await eventually(known, (peers) => ids.every((id) => peers.includes(id)));
}

/** Starts the fleet from an executable, and waits until the entries know all boards. */
export async function startFleet(binary: string): Promise<BenchFleet> {
  const directory = temporaryDirectory();
  const mosquitto = await createMosquitto();
  const spot = startPricedUpstream({ latencyMs: 15, capacityQps: spotQps, dimension });
  const onDemand = startPricedUpstream({ latencyMs: 10, capacityQps: 1_000, dimension });
  const programs = new Set<Program>();
  const run = async (id: string, config: object) => {
    const path = join(directory.path, `${id}.json`);
    const settings = {
      fleet: fleetName,
      id,
      stateDir: join(directory.path, id),
      broker: { url: mosquitto.url },
      ...config,
    };
    await Bun.write(path, JSON.stringify(settings));
    const program = startProgram(["agent", "--config", path], directory.path, {}, [resolve(binary)]);
    programs.add(program);
    void program.child.exited.then(() => programs.delete(program));
    await program.untilLogged('"agent started"');
    return program;
  };
  const boardConfig = (board: BenchBoard) => {
    const { url } = board;
    const kind = kindOf(board);
    return {
      serving: { port: Number(new URL(url).port), threads: 1, cacheBytes: 0, grpc: { enabled: false } },
      power: {
        board: "simulated",
        policy: { modes: [kind.mode, kind.lowMode] },
        simulated: { preset: kind.preset, capacityScale: scale },
      },
      mesh: { usdPerRequest: prices.board, forward: "never" },
    };
  };
  const boards = await Promise.all(
    Array.from({ length: 6 }, async (_, index): Promise<BenchBoard> => {
      const kind = kinds[index % 2] as (typeof kinds)[number];
      const qpsOf = (mode: string) =>
        scale * (boardPresets[kind.preset].modes.find(({ name }) => name === mode)?.capacityQps ?? 0);
      const id = `${index % 2 === 0 ? "large" : "small"}-${1 + Math.floor(index / 2)}`;
      const url = `http://127.0.0.1:${await freePort()}`;
      return { id, url, capacityQps: qpsOf(kind.mode), lowQps: qpsOf(kind.lowMode), program: null };
    }),
  );
  const instructor = await createInstructor(mosquitto.url);
  const start = async (board: BenchBoard) => {
    await instructor.tell(board, "serve");
    board.program = await run(board.id, boardConfig(board));
  };
  const offer = (name: "spot" | "on-demand", { url }: PricedUpstream, capacityQps: number, latencyMs: number) => ({
    ...{ name, kind: name, url, models: { [benchModel]: "upstream" }, usdPerRequest: prices[name] },
    // Each of the two entries may use a half.
    ...{ capacityQps: capacityQps / 2, latencyMs },
  });
  const entryConfig = {
    serving: { port: 0, model: "none", cacheBytes: 0, grpc: { enabled: false } },
    power: { board: "none" },
    mesh: { offers: [offer("spot", spot, spotQps, 20), offer("on-demand", onDemand, 1_000, 15)], targetMs: 250 },
  };
  const startHop = async () => {
    const own = { fleet: "hop", power: { board: "none" } };
    const serving = { port: 0, cacheBytes: 0, grpc: { enabled: false } };
    const direct = await run("hop-board", { ...own, serving: { ...serving, threads: 1 } });
    const through = await run("hop-entry", { ...own, serving: { ...serving, model: "none" } });
    await untilKnown(urlOf(through), ["hop-board"]);
    const stop = async () => {
      await Promise.all([direct.stop(), through.stop()]);
    };
    return { direct: urlOf(direct), through: urlOf(through), stop };
  };
  const dispose = async () => {
    for (const { child } of programs) child.kill("SIGCONT");
    await Promise.all([...programs].map((program) => program.stop("SIGKILL")));
    await Promise.all([spot.stop(), onDemand.stop(), instructor.stop()]);
    await mosquitto.dispose();
    directory.remove();
  };
  try {
    const entries = await Promise.all(["entry-1", "entry-2"].map(async (id) => urlOf(await run(id, entryConfig))));
    for (const board of boards) await start(board);
    for (const entry of entries)
      await untilKnown(
        entry,
        boards.map(({ id }) => id),
      );
    const hop = await startHop();
    return {
      ...{ boards, entries, spot, hop, start, dispose, tell: instructor.tell },
      async stop(board, signal) {
        await board.program?.stop(signal);
        board.program = null;
      },
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

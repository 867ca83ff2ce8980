import type { BenchBoard, BenchFleet } from "./fleet.ts";

/** Mishaps to one board, and changes that a controller asks of it. Besides, the cheaper upstream is taken away. */
const kinds = ["kill", "stop", "freeze", "sleep", "drain", "mode"] as const;
/** Time in which a board takes its last answers to its clients before it sleeps. */
const leaveMs = 500;

export interface Disturbance {
  readonly atMs: number;
  readonly what: string;
}

/** Boards that may be out at once. */
const maxOut = 2;
const outMs = 4_000;

/**
 * Disturbs the fleet at random times until a time has passed: kills a board, stops it, freezes it (its connections stay open), sends it to sleep
 * (on standby, then frozen) and wakes it, drains it, changes its power mode, takes the cheaper upstream away; each comes back after some seconds.
 * @returns what was done, once all are back, and the capacity of the boards that answered, by second
 */
export async function disturb(
  fleet: BenchFleet,
  options: { readonly events: number; readonly forMs: number; readonly random: () => number },
): Promise<{ readonly disturbances: Disturbance[]; readonly capacities: number[] }> {
  const { events, forMs, random } = options;
  const startedMs = performance.now();
  const out = new Set<BenchBoard>();
  const low = new Set<BenchBoard>();
  const disturbances: Disturbance[] = [];
  const capacities: number[] = [];
  const look = () => {
    const second = Math.floor((performance.now() - startedMs) / 1000);
    const qpsOf = (board: BenchBoard) => (low.has(board) ? board.lowQps : out.has(board) ? 0 : board.capacityQps);
    capacities[second] = fleet.boards.reduce((sum, board) => sum + qpsOf(board), 0);
  };
  look();
  const watch = setInterval(look, 250);
  const back: Promise<void>[] = [];
  const freeze = async ({ program }: BenchBoard) => {
    program?.child.kill("SIGSTOP");
    await Bun.sleep(outMs);
    program?.child.kill("SIGCONT");
  };
  const strike = async (kind: (typeof kinds)[number] | "upstream", board: BenchBoard) => {
    if (kind === "upstream") {
      await fleet.spot.stop();
      await Bun.sleep(outMs / 2);
      fleet.spot.start();
      return;
    }
    out.add(board);
    if (kind === "freeze") await freeze(board);
    else if (kind === "sleep") {
      await fleet.tell(board, "stand-by");
      await Bun.sleep(leaveMs);
      await freeze(board);
      await fleet.tell(board, "serve");
    } else if (kind === "drain") {
      await fleet.tell(board, "drain");
      await Bun.sleep(outMs);
      await fleet.tell(board, "serve");
    } else if (kind === "mode") {
      low.add(board);
      await fleet.tell(board, "serve-low");
      await Bun.sleep(outMs);
      await fleet.tell(board, "serve");
      low.delete(board);
    } else {
      await fleet.stop(board, kind === "kill" ? "SIGKILL" : "SIGTERM");
      await Bun.sleep(outMs / 2);
      await fleet.start(board);
    }
    out.delete(board);
  };
  for (let event = 0; event < events; event += 1) {
    const dueMs = startedMs + ((event + 0.2 + 0.6 * random()) * forMs) / events;
    await Bun.sleep(Math.max(0, dueMs - performance.now()));
    const left = fleet.boards.filter((board) => !out.has(board));
    const isUpstream = fleet.boards.length - left.length >= maxOut || random() < 0.1;
    // Each kind in its turn: a run of some twenty has all of them.
    const kind = isUpstream ? "upstream" : (kinds[event % kinds.length] as (typeof kinds)[number]);
    const board = left[Math.floor(random() * left.length)] as BenchBoard;
    disturbances.push({ atMs: performance.now() - startedMs, what: isUpstream ? kind : `${kind} ${board.id}` });
    back.push(strike(kind, board));
  }
  await Bun.sleep(Math.max(0, startedMs + forMs - performance.now()));
  await Promise.all(back);
  clearInterval(watch);
  return { disturbances, capacities };
}

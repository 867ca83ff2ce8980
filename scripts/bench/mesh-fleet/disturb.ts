import type { BenchBoard, BenchFleet } from "./fleet.ts";

/** Mishap to one board, or to the cheaper upstream. */
const kinds = ["kill", "stop", "freeze", "upstream"] as const;

export interface Disturbance {
  readonly atMs: number;
  readonly what: string;
}

/** Boards that may be out at once. */
const maxOut = 2;
const outMs = 4_000;

/**
 * Disturbs the fleet at random times until a time has passed: kills a board, stops it, freezes it (its connections stay open), takes the cheaper
 * upstream away; each comes back after some seconds.
 * @returns what was done, once all are back, and the capacity of the boards that answered, by second
 */
export async function disturb(
  fleet: BenchFleet,
  options: { readonly events: number; readonly forMs: number; readonly random: () => number },
): Promise<{ readonly disturbances: Disturbance[]; readonly capacities: number[] }> {
  const { events, forMs, random } = options;
  const startedMs = performance.now();
  const out = new Set<BenchBoard>();
  const disturbances: Disturbance[] = [];
  const capacities: number[] = [];
  const look = () => {
    const second = Math.floor((performance.now() - startedMs) / 1000);
    capacities[second] = fleet.boards.reduce((sum, board) => sum + (out.has(board) ? 0 : board.capacityQps), 0);
  };
  look();
  const watch = setInterval(look, 250);
  const back: Promise<void>[] = [];
  const strike = async (kind: (typeof kinds)[number], board: BenchBoard) => {
    if (kind === "upstream") {
      await fleet.spot.stop();
      await Bun.sleep(outMs / 2);
      fleet.spot.start();
      return;
    }
    out.add(board);
    const { program } = board;
    if (kind === "freeze") {
      program?.child.kill("SIGSTOP");
      await Bun.sleep(outMs);
      program?.child.kill("SIGCONT");
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
    const kind = isUpstream ? "upstream" : (kinds[Math.floor(3 * random())] as (typeof kinds)[number]);
    const board = left[Math.floor(random() * left.length)] as BenchBoard;
    disturbances.push({ atMs: performance.now() - startedMs, what: isUpstream ? kind : `${kind} ${board.id}` });
    back.push(strike(kind, board));
  }
  await Bun.sleep(Math.max(0, startedMs + forMs - performance.now()));
  await Promise.all(back);
  clearInterval(watch);
  return { disturbances, capacities };
}

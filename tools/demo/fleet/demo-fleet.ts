import { boardPresets } from "#agent/power/device/board-presets.ts";

export interface DemoBoard {
  readonly agentId: string;
  readonly preset: keyof typeof boardPresets;
}

/** Boards of different sizes, in the order in which agents get them. */
const boardOrder: readonly { readonly preset: keyof typeof boardPresets; readonly name: string }[] = [
  { preset: "thor-t5000", name: "thor" },
  { preset: "jetson-classic", name: "classic" },
  { preset: "orin-nano", name: "orin" },
  { preset: "thor-t5000", name: "thor" },
];

/** Creates the boards of `count` agents: "thor-1", "classic-1", "orin-1", "thor-2", … */
export function demoBoards(count: number): DemoBoard[] {
  const named = new Map<string, number>();
  return Array.from({ length: count }, (_, index) => {
    const board = boardOrder[index % boardOrder.length] as (typeof boardOrder)[number];
    const number = (named.get(board.name) ?? 0) + 1;
    named.set(board.name, number);
    return { agentId: `${board.name}-${number}`, preset: board.preset };
  });
}

/** Capacity that the full-size board's profile states for a mode, texts per second; null for an unknown mode. */
export function profileCapacityQps(preset: DemoBoard["preset"], modeName: string | null): number | null {
  return boardPresets[preset].modes.find(({ name }) => name === modeName)?.capacityQps ?? null;
}

/** Total capacity of the full-size boards in their most capable modes, texts per second. */
export function fleetCapacityQps(boards: readonly DemoBoard[]): number {
  return boards.reduce(
    (sum, { preset }) => sum + Math.max(...boardPresets[preset].modes.map((mode) => mode.capacityQps)),
    0,
  );
}

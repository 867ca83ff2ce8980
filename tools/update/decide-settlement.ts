import type { UpdateState } from "./update-state.ts";

export interface SettlementInputs {
  readonly state: Pick<UpdateState, "state" | "version" | "previous">;
  /** Version that `current` leads to; null: to none. */
  readonly current: string | null;
  /** The guard at boot went back from the new version. */
  readonly gaveUp: boolean;
}

export type Settlement =
  /** Nothing is left over. */
  | "nothing"
  /** The switch had not happened: as if the update had not begun. */
  | "not-switched"
  /** The new version is in force and its trial was cut short: restart, and watch it again. */
  | "watch"
  /** The guard at boot went back, which has to be written down. */
  | "returned"
  /** A return was decided and is not complete. */
  | "return";

/** Decides how an update that was cut short ends. */
export function decideSettlement({ state, current, gaveUp }: SettlementInputs): Settlement {
  if (state.state === "returning") return "return";
  if (state.state !== "switched") return "nothing";
  if (current === state.version) return "watch";
  return gaveUp ? "returned" : "not-switched";
}

import type { Birth, MinuteData } from "#protocol/messages.ts";
import { textsOf } from "./agent-state.ts";

/** A board that claims to carry more than so many times what an agent usually carries is mistaken. */
const mostTimesUsual = 100;
/** No device embeds more texts a second than this, not even out of a cache. */
const mostTextsPerS = 1_000_000;
/** The introduction without capacities that can't be: such modes count with the usual capacity. What was left out is said. */
export function withPlausibleCapacity(birth: Birth, usualQps: number): { birth: Birth; faults: readonly string[] } {
  const faults: string[] = [];
  const powerModes = birth.board.powerModes.map((mode) => {
    const { name, capacityQps } = mode;
    if (capacityQps === null || capacityQps <= mostTimesUsual * usualQps) return mode;
    faults.push(`mode ${name} is said to carry ${capacityQps} texts/s, which can't be: ${usualQps} is assumed`);
    return { ...mode, capacityQps: null };
  });
  return faults.length === 0
    ? { birth, faults }
    : { birth: { ...birth, board: { ...birth.board, powerModes } }, faults };
}

/** Why a minute's record can't be true; null when it can. */
export function implausibleMinute(data: Pick<MinuteData, "traffic">): string | null {
  const textsPerS = textsOf(data) / 60;
  return textsPerS > mostTextsPerS ? `${textsPerS} texts/s in a minute, which can't be` : null;
}

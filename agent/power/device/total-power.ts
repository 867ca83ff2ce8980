/** Rails of the board's total input, the best first. */
const totalRails = ["VIN", "VDD_IN", "POM_5V_IN"] as const;

/** Rails that another rail of the same board feeds: where that one is read, their power is in it already (AGX Orin). */
const fedBy: readonly (readonly [feeding: string, fed: RegExp])[] = [["VIN_SYS_5V0", /^VDDQ_|_(3V3|1V8)(AO)?(_|$)/]];

/** Returns the board's input power by its rails; null without one. */
export function totalPowerMw(rails: ReadonlyMap<string, number>): number | null {
  for (const name of totalRails) {
    const total = rails.get(name);
    if (total !== undefined) return Math.max(0, total);
  }
  if (rails.size === 0) return null;
  const isCounted = (name: string) => !fedBy.some(([feeding, fed]) => rails.has(feeding) && fed.test(name));
  const sum = [...rails].reduce((total, [name, milliwatts]) => total + (isCounted(name) ? milliwatts : 0), 0);
  return Math.max(0, sum);
}

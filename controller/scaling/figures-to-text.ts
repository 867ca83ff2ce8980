/** A rate: whole numbers from 100 on, three significant digits below (small fleets have rates far below 1). */
export function qpsToText(value: number): string {
  return value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}

/** "1 agent", "3 agents". */
export function countToText(amount: number, one: string, many = `${one}s`): string {
  return `${amount} ${amount === 1 ? one : many}`;
}

const maxNames = 6;
/** "a, b and c"; of more than six only the first six: "a, b, c, d, e, f and 3 more". */
export function listToText(texts: readonly string[]): string {
  if (texts.length > maxNames) return `${texts.slice(0, maxNames).join(", ")} and ${texts.length - maxNames} more`;
  return texts.length < 2 ? texts.join("") : `${texts.slice(0, -1).join(", ")} and ${texts.at(-1)}`;
}

/** A time rounded up: "40 s", from a minute and a half on "2 min". */
export function durationToText(seconds: number): string {
  return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
}

/** A rate for people: whole numbers from 100 on, three significant digits below (small fleets have rates far below 1). */
export function qps(value: number): string {
  return value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}

/** "1 agent", "3 agents". */
export function count(amount: number, one: string, many = `${one}s`): string {
  return `${amount} ${amount === 1 ? one : many}`;
}

const mostNames = 6;
/** "a, b and c"; of many only the first. */
export function list(texts: readonly string[]): string {
  if (texts.length > mostNames) return `${texts.slice(0, mostNames).join(", ")} and ${texts.length - mostNames} more`;
  return texts.length < 2 ? texts.join("") : `${texts.slice(0, -1).join(", ")} and ${texts.at(-1)}`;
}

/** For people, rounded up: "40 s", from a minute and a half on "2 min". */
export function duration(seconds: number): string {
  return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
}

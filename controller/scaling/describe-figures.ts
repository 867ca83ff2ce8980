/** A rate for people: whole numbers from 100 on, three significant digits below (small fleets have rates far below 1). */
export function qps(value: number): string {
  return value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}

export function count(amount: number, one: string, many = `${one}s`): string {
  return `${amount} ${amount === 1 ? one : many}`;
}

import type { SQLQueryBindings } from "bun:sqlite";

/** Values that a damaged file, another program or an earlier version may have left in a column. */
export const damagedValues: readonly SQLQueryBindings[] = [
  null,
  -1,
  9_223_372_036_854_775_807n,
  253_402_300_799_000,
  1.7e308,
  "",
  "nonsense",
  '{"a":',
  "[]",
  "null",
  "[".repeat(5000),
  "x".repeat(300_000),
];

/** JSON for a column that may be NULL. */
export function toColumn(value: unknown): string | null {
  return value === null ? null : JSON.stringify(value);
}

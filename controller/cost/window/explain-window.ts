import type { WindowFault } from "./parse-window.ts";

/** Explains why a text is no window, with the field's name. */
export function explainWindowFault({ field, expected }: WindowFault, got: string): string {
  return `${field}: expected ${expected}, got "${got}"`;
}

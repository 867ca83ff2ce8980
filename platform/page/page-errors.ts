import { signal } from "@preact/signals";

export interface PageError {
  readonly text: string;
  /** Number of times that it came. */
  readonly count: number;
}

const maxErrors = 5;

/** Errors that the user has not dismissed, the newest last. */
export const pageErrors = signal<readonly PageError[]>([]);

/** Shows an error to the user. */
export function showError(error: unknown): void {
  const text = error instanceof Error ? error.message || error.name : String(error);
  const others = pageErrors.value.filter((each) => each.text !== text);
  const count = (pageErrors.value.find((each) => each.text === text)?.count ?? 0) + 1;
  pageErrors.value = [...others, { text, count }].slice(-maxErrors);
}

export function dismissError(text: string): void {
  pageErrors.value = pageErrors.value.filter((each) => each.text !== text);
}

/** Shows errors of scripts that nobody catches: none is swallowed. */
export function watchErrors(): void {
  window.addEventListener("error", (event) => {
    // A chart that is drawn anew in an observer's own call: browsers tell it, and nothing is wrong.
    if (String(event.message).startsWith("ResizeObserver loop")) return;
    showError(`this page failed: ${event.message}`);
  });
  window.addEventListener("unhandledrejection", (event) => showError(event.reason));
}

import { signal } from "@preact/signals";
import type { PolicyPreview } from "#controller/api/acting/policy-views.ts";
import type { BacktestJob } from "#controller/scaling/backtest/job/backtest-jobs.ts";
import { ApiError, getJson, sendJson } from "#platform/page/api-client.ts";

/** File of the policy, as the server shows it. */
export interface PolicyFile {
  readonly path: string;
  readonly version: string;
  readonly text: string;
  readonly isMasked: boolean;
  readonly fault: string | null;
  readonly name: string;
  readonly mode: string;
  readonly loadedAtMs: number;
  readonly problem: string | null;
}

/** Policy as it is; `missing`: none is configured. Null: not loaded yet. */
export const policyFile = signal<PolicyFile | { readonly missing: string } | null>(null);

/** Text that was typed, and the version of the file that it was made from; null: nothing was. It stays while one looks at other pages. */
export const draft = signal<{ readonly text: string; readonly from: string | null } | null>(null);

/** Takes in what was typed. */
export function edit(text: string): void {
  const file = policyFile.value;
  const from = draft.value?.from ?? (file !== null && "version" in file && file.version !== "" ? file.version : null);
  draft.value = { text, from };
}

/** True if the file was changed by others since one began to type. */
export function isOutdated(): boolean {
  const file = policyFile.value;
  const from = draft.value?.from ?? null;
  return from !== null && file !== null && "version" in file && file.version !== from;
}

export const preview = signal<PolicyPreview | null>(null);

/** Backtest that is shown; null: none. */
export const backtest = signal<BacktestJob | null>(null);

/** Mistakes of the text, and errors of the newest try. */
export const mistakes = signal<readonly string[]>([]);

/** Text that is tried: what was typed, else the file's. */
export function currentText(): string {
  const file = policyFile.value;
  return draft.value?.text ?? (file !== null && "text" in file ? file.text : "");
}

/** Loads the file. @throws ApiError */
export async function loadPolicyFile(): Promise<void> {
  policyFile.value = await getJson<PolicyFile | { readonly missing: string }>("/api/v1/policy/file");
}

/** Does something, and shows what is wrong where it fails. Returns true when it went well. */
export async function attempt(what: () => Promise<void>): Promise<boolean> {
  mistakes.value = [];
  try {
    await what();
    return true;
  } catch (error) {
    const listed = error instanceof ApiError ? error.mistakes : [];
    mistakes.value = listed.length > 0 ? listed : [error instanceof Error ? error.message : String(error)];
    return false;
  }
}

export const previewDraft = (): Promise<boolean> =>
  attempt(async () => {
    preview.value = await sendJson<PolicyPreview>("POST", "/api/v1/policy/preview", { text: currentText() });
  });

/** @param hours newest hours on record */
export const startBacktest = (hours: number): Promise<boolean> =>
  attempt(async () => {
    const text = currentText();
    const body = { hours, ...(text.trim() === "" ? {} : { text }) };
    backtest.value = await sendJson<BacktestJob>("POST", "/api/v1/backtests", body);
  });

/** Shows the newest backtest, e.g. one that was started before the page was loaded. */
export async function findBacktest(): Promise<void> {
  if (backtest.value !== null) return;
  const { backtests } = await getJson<{ backtests: readonly BacktestJob[] }>("/api/v1/backtests");
  const newest = backtests[0];
  if (newest !== undefined) backtest.value = await getJson<BacktestJob>(`/api/v1/backtests/${newest.id}`);
}

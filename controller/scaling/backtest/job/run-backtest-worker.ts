import { createCalendar } from "#forecast/data/calendar.ts";
import { describeError } from "#platform/errors.ts";
import { runBacktest } from "../run-backtest.ts";
import type { BacktestAnswer, BacktestQuestion } from "./backtest-question.ts";
import { summarizeBacktest } from "./summarize-backtest.ts";

/** Time between two words about the progress. */
const tellEachMs = 250;

/** Replays what a question asks. @param tell receives the progress, now and then */
export function answerBacktest(question: BacktestQuestion, tell: (progress: number) => void): BacktestAnswer {
  const { fleet, startMs, rates, policies } = question;
  const choices = policies.map(({ label, policy }) => ({ label, policy, terms: {} }));
  let toldAtMs = performance.now();
  const onMinute = (done: number, total: number) => {
    if (performance.now() - toldAtMs < tellEachMs) return;
    toldAtMs = performance.now();
    tell(done / total);
  };
  try {
    const traffic = { startMs, rates, calendar: createCalendar("UTC", []) };
    return { result: summarizeBacktest(question, runBacktest(fleet, traffic, choices, undefined, onMinute)) };
  } catch (error) {
    return { failure: describeError(error) };
  }
}

/** Runs the child process that replays: answers one question, and ends with the channel to its parent. Resolves with the exit code. */
export async function runBacktestWorker(): Promise<number> {
  if (process.send === undefined) throw new Error("a replaying process is started by a controller, not by hand");
  // A signal to the whole process group (Ctrl-C, systemd) is the parent's to act on.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
  const ended = Promise.withResolvers<number>();
  process.on("disconnect", () => ended.resolve(0));
  process.on("message", (question: BacktestQuestion) => {
    process.send?.(answerBacktest(question, (progress) => process.send?.({ progress } satisfies BacktestAnswer)));
  });
  return await ended.promise;
}

import { closeNewFiles } from "#platform/files/close-to-others.ts";
import { type Command, type OptionValues, optionalString } from "#platform/terminal/command.ts";
import { demoOptions, readDemoOptions } from "#tools/demo/demo-options.ts";
import { Interrupted, runDemo } from "#tools/demo/run-demo.ts";
import { renderReport } from "#tools/demo/view/report.ts";
import { createLineProgress, createTerminalProgress } from "#tools/demo/view/terminal.ts";
import { readTraces, refuseForeignSource, traceOptions } from "./read-traces.ts";
import { untilStopped } from "./run/until-stopped.ts";

const { from: _, ...sourceOptions } = traceOptions();

/** Reads the trace that was asked for; null: none was. */
async function readRecorded(values: OptionValues) {
  const path = optionalString(values, "trace");
  // --from is the hour to start at.
  const source: OptionValues = { ...values, from: undefined };
  refuseForeignSource(source, path !== undefined);
  if (path === undefined && source["prometheus"] === undefined) return null;
  const [{ trace }] = await readTraces(path === undefined ? undefined : [path], source);
  return trace;
}

export const demoCommand: Command = {
  summary: "run a fleet on this machine, with simulated boards and recorded traffic",
  usage: "[--once] [--json] [options]",
  examples: ["thormesh demo", "thormesh demo --once --json"],
  options: {
    ...demoOptions,
    ...sourceOptions,
    to: { value: "TIME", help: "read the 30 days of Prometheus before this time (default now)" },
  },
  async run(values, positionals) {
    const options = readDemoOptions(values, positionals);
    const recorded = await readRecorded(values);
    closeNewFiles();
    const { stderr } = process;
    const progress = stderr.isTTY ? createTerminalProgress(stderr) : createLineProgress(stderr);
    const screen = stderr.isTTY ? () => ({ columns: stderr.columns || 80, rows: stderr.rows || 24 }) : null;
    // Restores the terminal's cursor even when a second Ctrl-C ends the process at once.
    process.on("exit", () => progress.finish());
    const columns = process.stdout.isTTY ? process.stdout.columns || 80 : Number.POSITIVE_INFINITY;
    let interrupted = false;
    const stopped = untilStopped((stop) => {
      // After a closed terminal (SIGHUP) or reader (EPIPE) nothing can be shown any more.
      process.on("SIGHUP", stop);
      for (const output of [process.stdout, stderr]) output.on("error", stop);
    }).then(() => {
      interrupted = true;
      progress.say("shutting down; press Ctrl-C again to end at once");
    });
    try {
      const report = await runDemo(options, recorded, { progress, screen, stopped });
      console.log(options.json ? JSON.stringify(report, null, 2) : renderReport(report, columns));
      return options.once && interrupted ? 1 : 0;
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
      console.error(error.message);
      return options.once ? 1 : 0;
    }
  },
};

import { onUncaught } from "#cli/run/on-uncaught.ts";
import { runCli } from "#cli/run/run-cli.ts";
import { printLine, sayLine } from "#platform/terminal/print-line.ts";

// Deprecation warnings come from packages: users can't act on them, and they are not JSON log lines.
process.noDeprecation = true;
// A command's output is its result: failing to write it is an error.
console.log = printLine;
console.error = sayLine;
onUncaught();
process.exit(await runCli(process.argv.slice(2)));

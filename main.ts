import { runCli } from "#cli/run/run-cli.ts";
import { printLine, sayLine } from "#platform/terminal/print-line.ts";

// Of packages we carry, about their own code: nothing its user can act on, and no line of a log in JSON.
process.noDeprecation = true;
// What a command prints is its result: losing it is a failure.
console.log = printLine;
console.error = sayLine;
process.exit(await runCli(process.argv.slice(2)));

import { runCli } from "#cli/run-cli.ts";

// Of packages we carry, about their own code: nothing its user can act on, and no line of a log in JSON.
process.noDeprecation = true;
process.exit(await runCli(process.argv.slice(2)));

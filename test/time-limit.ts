import { setDefaultTimeout } from "bun:test";

// Loaded before every test file (bunfig.toml). Only ends tests that hang: tests do not judge the speed of a machine.
setDefaultTimeout(300_000);

// Commands that a test runs within this process close their files to others, and the next file's test must not inherit that.
process.umask(0o022);

import { setDefaultTimeout } from "bun:test";
import { patienceMs } from "./patience.ts";

// Loaded before every test file (bunfig.toml). Only ends tests that hang: tests do not judge the speed of a machine. Longer than a single wait, which
// says what it waited for.
setDefaultTimeout(1.25 * patienceMs);

// Commands that a test runs within this process close their files to others, and the next file's test must not inherit that.
process.umask(0o022);

import { setDefaultTimeout } from "bun:test";

// Loaded before every test file (bunfig.toml). Only ends tests that hang: tests do not judge the speed of a machine.
setDefaultTimeout(300_000);

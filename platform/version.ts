import manifest from "../package.json" with { type: "json" };

/** Version of this program; tests of updates give one executable several, by a variable that says so. */
export const version: string = process.env["THORMESH_TEST_VERSION"] ?? manifest.version;

/** Time before which no copy of this program was made, ms since the epoch; a clock that says less is wrong. Set anew with each version. */
export const builtAtMs = Date.UTC(2026, 10, 30);

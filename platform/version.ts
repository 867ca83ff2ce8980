import manifest from "../package.json" with { type: "json" };

/** Version of this program; tests of updates give one executable several, by a variable that says so. */
export const version: string = process.env["THORMESH_TEST_VERSION"] ?? manifest.version;

/** Seconds since 1970 that scripts/build puts in; missing when the program runs from its sources. */
declare const THORMESH_BUILT_AT_S: string | undefined;

/** Time before which no copy of this program was made, ms since the epoch; a clock that says less is wrong. 0: the program runs from its sources. */
export const builtAtMs = typeof THORMESH_BUILT_AT_S === "undefined" ? 0 : Number(THORMESH_BUILT_AT_S) * 1000;

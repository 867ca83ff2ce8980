/**
 * Prints "PASSED FAILED" summed over JUnit reports, and before it a line for each test that failed; skipped tests count as neither, a report that is
 * missing, damaged or empty as one failure. Usage: bun scripts/count-tests.ts REPORT…
 */
let passed = 0;
let failed = 0;
const nameOf = (tag: string, attribute: string) => new RegExp(`\\b${attribute}="([^"]*)"`).exec(tag)?.[1] ?? "?";

for (const path of process.argv.slice(2)) {
  const text = await Bun.file(path)
    .text()
    .catch(() => "");
  const attributes = /<testsuites\b([^>]*)>/.exec(text)?.[1] ?? "";
  const count = (name: string) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(attributes)?.[1] ?? 0);
  if (count("tests") === 0) {
    console.error(`${path}: no report of tests that ran`);
    failed += 1;
    continue;
  }
  const failures = count("failures") + count("errors");
  failed += failures;
  passed += count("tests") - failures - count("skipped");
  for (const [, tag = ""] of text.matchAll(/<testcase\b([^>]*[^/>])>\s*<(?:failure|error)\b/g))
    console.error(`FAILED: ${nameOf(tag, "file")}: ${nameOf(tag, "name")}`);
}
console.log(`${passed} ${failed}`);

/**
 * Prints "PASSED FAILED" summed over JUnit reports, and before it each test that failed and why, a line each; skipped tests count as neither, a report that is
 * missing, damaged or empty as one failure. Usage: bun scripts/count-tests.ts REPORT…
 */
let passed = 0;
let failed = 0;
const nameOf = (tag: string, attribute: string) => new RegExp(`\\b${attribute}="([^"]*)"`).exec(tag)?.[1] ?? "?";
/** Longest reason that is printed: the whole one stands in the tests' own output. */
const maxReason = 400;

/** Reason of a failure in one line. */
function reasonOf(tag: string): string {
  const message = nameOf(tag, "message")
    .replaceAll(/&#10;|\s+/g, " ")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&apos;", "'")
    .replaceAll("&amp;", "&");
  return message.length > maxReason ? `${message.slice(0, maxReason)}…` : message;
}

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
  for (const [, tag = "", failure = ""] of text.matchAll(/<testcase\b([^>]*[^/>])>\s*<(?:failure|error)\b([^>]*)/g)) {
    console.error(`FAILED: ${nameOf(tag, "file")}: ${nameOf(tag, "name")}`);
    console.error(`   ${reasonOf(failure)}`);
  }
}
console.log(`${passed} ${failed}`);

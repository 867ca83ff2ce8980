/** Prints "PASSED FAILED" summed over JUnit reports; skipped tests count as neither. Usage: bun scripts/count-tests.ts REPORT… */
let passed = 0;
let failed = 0;
for (const path of process.argv.slice(2)) {
  const text = await Bun.file(path).text();
  const attributes = /<testsuites\b([^>]*)>/.exec(text)?.[1];
  if (attributes === undefined) throw new Error(`${path} is no JUnit report`);
  const count = (name: string) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(attributes)?.[1] ?? 0);
  const failures = count("failures") + count("errors");
  if (count("tests") === 0) throw new Error(`${path}: no test ran`);
  failed += failures;
  passed += count("tests") - failures - count("skipped");
}
console.log(`${passed} ${failed}`);

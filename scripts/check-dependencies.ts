import { join } from "node:path";
import allowedFaults from "./allowed-faults.json";

/** Known fault of a package, as `bun audit --json` prints it. */
export interface Advisory {
  readonly url: string;
  readonly title: string;
  readonly severity: string;
  readonly vulnerable_versions: string;
}

/** Fault that is accepted until a day. */
export interface AllowedFault {
  readonly package: string;
  /** Address of its advisory. */
  readonly url: string;
  readonly reason: string;
  /** The last day, as YYYY-MM-DD. */
  readonly until: string;
}

/** Returns a line for each serious fault that is not excused, and for each entry that excuses nothing. */
export function judgeAdvisories(
  advisories: Readonly<Record<string, readonly Advisory[]>>,
  allowed: readonly AllowedFault[],
  today: string,
): readonly string[] {
  const serious = Object.entries(advisories).flatMap(([name, found]) =>
    found
      .filter(({ severity }) => severity === "high" || severity === "critical")
      .map((advisory) => ({ name, ...advisory })),
  );
  const excuses = (entry: AllowedFault, fault: { name: string; url: string }) =>
    entry.package === fault.name && entry.url === fault.url;
  const unexcused = serious.filter(
    (fault) => !allowed.some((entry) => excuses(entry, fault) && entry.until >= today && entry.reason !== ""),
  );
  const unused = allowed.filter((entry) => !serious.some((fault) => excuses(entry, fault)));
  return [
    ...unexcused.map(
      ({ name, severity, title, url, vulnerable_versions: versions }) =>
        `${name} ${versions}: ${severity}: ${title} (${url})`,
    ),
    ...unused.map(({ package: name, url }) => `allowed-faults.json: ${name} has no fault ${url} any more`),
  ];
}

async function run(...command: string[]) {
  const child = Bun.spawn([process.execPath, ...command], {
    cwd: join(import.meta.dir, ".."),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [output, errors, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { output, errors, code };
}

async function main(): Promise<number> {
  const { output, errors, code } = await run("audit", "--production", "--json");
  let advisories: Record<string, Advisory[]>;
  try {
    advisories = JSON.parse(output);
  } catch {
    console.log(
      `known faults: not checked, the registry can't be asked here: ${errors.trim().split("\n").at(-1) ?? code}`,
    );
    return 3;
  }
  const problems = judgeAdvisories(advisories, allowedFaults, new Date().toISOString().slice(0, 10));
  for (const problem of problems) console.log(problem);
  const newer = await run("outdated", "--production");
  console.log(newer.code === 0 ? newer.output.trim() : `newer versions: not checked: ${newer.errors.trim()}`);
  return problems.length === 0 ? 0 : 1;
}

if (import.meta.main) process.exit(await main());

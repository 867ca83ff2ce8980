import { readFileSync } from "node:fs";
import { totalmem } from "node:os";
import { dirname, join } from "node:path";

/** Memory that this program's processes share, and how often the kernel has killed one of them because there was none left. */
export interface MemoryKills {
  /** Number of kills so far; null where it is not counted. */
  count(): number | null;
  /** Limit of all processes together: the control group's, else the machine's memory. */
  limitBytes(): number;
}

interface MemoryGroup {
  readonly directory: string;
  /** Mount of the hierarchy, above which there is no limit. */
  readonly mount: string;
  readonly version: 1 | 2;
}

const read = (path: string): string | null => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
};

/** Files of each version of control groups. */
const filesOf = {
  1: { kills: "memory.oom_control", limit: "memory.limit_in_bytes" },
  2: { kills: "memory.events", limit: "memory.max" },
} as const;

function findGroup(groups: string, root: string): MemoryGroup | null {
  for (const line of groups.split("\n")) {
    const [, controllers, path = ""] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    const version = controllers?.split(",").includes("memory") ? 1 : controllers === "" ? 2 : null;
    if (version === null) continue;
    const mount = version === 1 ? join(root, "memory") : root;
    // Inside a container the path may be the machine's, while the mount begins at the container's own group.
    for (const directory of [join(mount, path), mount])
      if (read(join(directory, filesOf[version].kills)) !== null) return { directory, mount, version };
  }
  return null;
}

const killsIn = (text: string | null): number | null => {
  const count = /^oom_kill (\d+)$/m.exec(text ?? "")?.[1];
  return count === undefined ? null : Number(count);
};

/** @param root other places than `/`, for tests */
export function createMemoryKills(root = "/"): MemoryKills {
  const group = findGroup(read(join(root, "proc/self/cgroup")) ?? "", join(root, "sys/fs/cgroup"));
  return {
    count() {
      const ofGroup = group === null ? null : killsIn(read(join(group.directory, filesOf[group.version].kills)));
      // Of the whole machine, where there is no group that counts.
      return ofGroup ?? killsIn(read(join(root, "proc/vmstat")));
    },
    limitBytes() {
      let least = totalmem();
      if (group === null) return least;
      for (let at = group.directory; at.startsWith(group.mount); at = dirname(at)) {
        const limit = Number.parseInt(read(join(at, filesOf[group.version].limit)) ?? "", 10);
        if (limit > 0) least = Math.min(least, limit);
      }
      return least;
    },
  };
}

/** Kills of this program's processes. */
export const memoryKills = createMemoryKills();

const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`;

/** Explains a loss for want of memory: a predicate of the process. */
export function explainMemoryKill(memory: {
  /** Memory that the process needs; null: unknown. */
  readonly neededBytes: number | null;
  /** Memory at the last check; null: unknown. */
  readonly hadBytes: number | null;
  readonly limitBytes: number;
}): string {
  const { neededBytes, hadBytes, limitBytes } = memory;
  const needs = neededBytes === null ? [] : [`it needs some ${megabytes(neededBytes)}`];
  const had = hadBytes === null ? [] : [`it had ${megabytes(hadBytes)}`];
  const facts = [...needs, ...had, `the limit for all processes together is ${megabytes(limitBytes)}`];
  return `was killed for lack of memory (${facts.join("; ")})`;
}

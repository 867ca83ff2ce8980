import { readdirSync, readFileSync } from "node:fs";

/** A process below another one, as everybody on the machine (arguments) or its own user (environment) can see it. */
export interface SeenProcess {
  readonly pid: number;
  readonly args: string;
  readonly environment: string;
}

const read = (path: string) => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
};

/** All that descend from a process now. */
export function descendantsOf(root: number): SeenProcess[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    const stat = /^\d+$/.test(name) ? read(`/proc/${name}/stat`) : "";
    if (stat !== "") parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]));
  }
  const isBelow = (pid: number): boolean => {
    const parent = parents.get(pid);
    return parent !== undefined && (parent === root || isBelow(parent));
  };
  const argsOf = (pid: number) => read(`/proc/${pid}/cmdline`).replaceAll("\0", " ");
  return [...parents.keys()].filter(isBelow).flatMap((pid) => {
    const environment = read(`/proc/${pid}/environ`).replaceAll("\0", "\n");
    const args = argsOf(pid);
    // One that has not begun its own program yet is its parent still.
    return args === argsOf(parents.get(pid) as number) ? [] : [{ pid, args, environment }];
  });
}

/** Looks at a process' descendants again and again: some live for a moment only. Each is kept as it was seen last. */
export function watchDescendants(root: number): { seen(): SeenProcess[]; stop(): void } {
  const all = new Map<string, SeenProcess>();
  const look = () => {
    for (const each of descendantsOf(root)) if (each.environment !== "") all.set(`${each.pid} ${each.args}`, each);
  };
  const timer = setInterval(look, 50);
  return {
    seen() {
      look();
      return [...all.values()];
    },
    stop: () => clearInterval(timer),
  };
}

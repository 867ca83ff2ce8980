import { readdirSync, readFileSync } from "node:fs";

/** Descendant of a process, with what every user (arguments) or its own user (environment) can see. */
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

/** Returns the current descendants of a process. */
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
    // A fork that has not started its program yet still looks like its parent.
    return args === argsOf(parents.get(pid) as number) ? [] : [{ pid, args, environment }];
  });
}

/** Polls a process' descendants, as some live only for a moment. Keeps each as it was last seen. */
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

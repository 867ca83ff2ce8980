/** Time for a killed process to end; one that waits for a driver does not end at all. */
const afterKillMs = 2_000;

async function within(done: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const ended = await Promise.race([done.then(() => true), late]);
  clearTimeout(timer);
  return ended;
}

/** Waits for a process that is about to end and kills it after a grace. Does not wait for ever for a process that can't be killed. */
export async function endProcess(
  child: Pick<Bun.Subprocess, "exited" | "kill" | "unref">,
  graceMs: number,
): Promise<void> {
  if (graceMs > 0 && (await within(child.exited, graceMs))) return;
  child.kill("SIGKILL");
  if (!(await within(child.exited, afterKillMs))) child.unref();
}

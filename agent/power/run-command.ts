export interface CommandOutcome {
  readonly kind: "exited" | "timed-out" | "not-started";
  readonly exitCode: number | null;
  /** Standard output and error together. */
  readonly output: string;
}

/** Runs a command with nothing on its standard input, in the C locale, and ends it after `timeoutMs`. Never rejects. */
export async function runCommand(command: readonly string[], timeoutMs: number): Promise<CommandOutcome> {
  let timedOut = false;
  try {
    const child = Bun.spawn([...command], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      env: { ...process.env, LC_ALL: "C" },
    });
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill("SIGKILL");
    }, timeoutMs);
    // A grandchild may hold the pipes open after the child is gone, so the text is waited for only as long as the child lives.
    const texts = Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    const exitCode = await child.exited;
    clearTimeout(timer);
    const [stdout, stderr] = await Promise.race([texts, Bun.sleep(500).then(() => ["", ""] as const)]);
    return { kind: timedOut ? "timed-out" : "exited", exitCode, output: `${stdout}${stderr}` };
  } catch (error) {
    return { kind: "not-started", exitCode: null, output: (error as Error).message };
  }
}

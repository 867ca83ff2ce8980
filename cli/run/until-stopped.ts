/**
 * Resolves on the first SIGTERM or SIGINT, or when `also` calls the function it gets. A second signal ends the process at once.
 */
export function untilStopped(also: (stop: () => void) => void = () => {}): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    const stop = () => {
      asked = true;
      resolve();
    };
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => {
        if (asked) process.exit(1);
        stop();
      });
    }
    also(stop);
  });
}

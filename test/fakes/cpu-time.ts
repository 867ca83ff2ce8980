/** Returns the CPU time in ms that this process spends on some work. Unlike time on the clock it does not depend on other processes. */
export function cpuMsOf(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

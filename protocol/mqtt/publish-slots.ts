/** Limits how many publishes wait for their acknowledgement: a broker of MQTT 5 ends the connection of a client that exceeds its Receive Maximum. */
export function createPublishSlots() {
  let free = 0;
  let waiting: (() => void)[] = [];
  return {
    /** Starts anew with a connection; who waited for the one before is let go. */
    open(slots: number): void {
      free = slots;
      const before = waiting;
      waiting = [];
      for (const proceed of before) proceed();
    },
    /** Resolves when a slot is the caller's. */
    async take(): Promise<void> {
      if (free > 0) free -= 1;
      else await new Promise<void>((resolve) => waiting.push(resolve));
    },
    release(): void {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    },
  };
}

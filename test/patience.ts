/** Time after which a test gives up that still waits for a state. It ends what hangs, and judges no machine's speed: a busy one needs many times as long. */
export const patienceMs = 480_000;

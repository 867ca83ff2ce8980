import type { Health } from "#controller/api/schemas.ts";
import { describeError } from "#platform/errors.ts";
import { type CheckResult, failed, note, ok } from "./check.ts";

/** Checks a controller by what it says of itself: is it there, has it its broker, can it store what agents send. */
export async function checkController(health: () => Promise<Health>): Promise<CheckResult[]> {
  let said: Health;
  try {
    said = await health();
  } catch (error) {
    return [failed("controller", describeError(error), "check the address, and that the controller runs")];
  }
  const { brokerConnected, problems } = said;
  // What agents send waits at them until it can be stored, but not for ever.
  const isStore = (problem: string) => /stor|row|removed early|damaged|database/.test(problem);
  const store = problems.filter(isStore);
  const others = problems.filter((problem) => !isStore(problem));
  return [
    brokerConnected
      ? ok("controller's broker", "connected")
      : failed(
          "controller's broker",
          "not connected: agents keep serving, but the controller can't manage them",
          "look for `not connected to the broker` in the controller's log",
        ),
    store.length === 0
      ? ok("controller's store", "stores what agents send")
      : failed("controller's store", store.join("; "), "free up or repair the disk or server that stores its records"),
    ...(others.length === 0 ? [] : [note("controller", others.join("; "))]),
  ];
}

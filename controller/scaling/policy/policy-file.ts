import { describeError } from "#platform/errors.ts";
import { readOwnConfigFile } from "#platform/files/read-config.ts";
import type { Logger } from "#platform/log.ts";
import { parseScalingPolicy } from "./parse-scaling-policy.ts";
import type { ScalingPolicy } from "./scaling-policy.ts";

/** File of a policy, read again and again. The policy in force is always complete and valid. */
export interface PolicyFile {
  readonly policy: ScalingPolicy;
  readonly loadedAtMs: number;
  /** Fault of the file as it is now; null when its policy is in force. */
  readonly problem: string | null;
  /** Reads the file again. Never rejects: a file that is wrong or gone leaves the policy as it was. */
  reload(): Promise<void>;
  /** Puts the policy before back in force, until the file changes; false when there was none since the start. */
  takeBack(reason: string): boolean;
}

/**
 * Reads a policy for the first time.
 * @throws UsageError with all mistakes in it.
 */
export async function openPolicyFile(path: string, nowMs: () => number, log: Logger): Promise<PolicyFile> {
  const read = async () => {
    const input = await readOwnConfigFile(path);
    return { text: JSON.stringify(input), policy: parseScalingPolicy(input, path) };
  };
  let { policy, text } = await read();
  let before: ScalingPolicy | null = null;
  let takenBack: string | null = null;
  const file = {
    policy,
    loadedAtMs: nowMs(),
    problem: null as string | null,
    async reload() {
      try {
        const next = await read();
        if (next.text !== text) {
          before = file.policy;
          takenBack = null;
        }
        file.problem = takenBack;
        if (next.text === text) return;
        ({ policy, text } = next);
        Object.assign(file, { policy, loadedAtMs: nowMs() });
        log.info({ path, policy: policy.name, mode: policy.mode }, "the scaling policy has changed");
      } catch (error) {
        const now = describeError(error);
        if (now !== file.problem)
          log.error({ path, err: now }, "the scaling policy file can't be used: the old policy stays in force");
        file.problem = now;
      }
    },
    takeBack(reason: string) {
      if (before === null) return false;
      takenBack = `taken back until the file changes: ${reason}`;
      Object.assign(file, { policy: before, loadedAtMs: nowMs(), problem: takenBack });
      before = null;
      const kind = "the scaling policy cost users what they are promised: the one before is in force";
      log.warn({ path, policy: file.policy.name, reason }, kind);
      return true;
    },
  };
  return file;
}

import { describeError } from "#platform/errors.ts";
import { readOwnConfigFile } from "#platform/files/read-config.ts";
import type { Logger } from "#platform/log.ts";
import type { KeptPolicy } from "./kept-policy.ts";
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
  /** Puts the policy before back in force, until the file changes; false when there was none. */
  takeBack(reason: string): boolean;
}

/** Memory of a policy file from one run to the next. */
export interface PolicyKeeping {
  /** State of an earlier run; null: there was none. */
  readonly kept: KeptPolicy | null;
  readonly save: (kept: KeptPolicy) => void;
}

const forgets: PolicyKeeping = { kept: null, save: () => undefined };

/** Returns a policy that is kept as JSON; null where this version does not accept it. */
function recall(text: string, path: string): { readonly text: string; readonly policy: ScalingPolicy } | null {
  try {
    return { text, policy: parseScalingPolicy(JSON.parse(text), path) };
  } catch {
    return null; // the file itself is valid, and serves
  }
}

/**
 * Reads a policy for the first time. One that an earlier run took back stays out of force while the file is the same.
 * @throws UsageError with all mistakes in it.
 */
export async function openPolicyFile(
  path: string,
  nowMs: () => number,
  log: Logger,
  { kept, save }: PolicyKeeping = forgets,
): Promise<PolicyFile> {
  const read = async () => {
    const input = await readOwnConfigFile(path);
    return { text: JSON.stringify(input), policy: parseScalingPolicy(input, path) };
  };
  let inFile = await read();
  const isKnown = kept?.path === path;
  // A file that was changed while no controller ran replaces the policy that was in force then.
  const isSame = isKnown && kept.text === inFile.text;
  const keptBefore = isKnown ? (isSame || kept.takenBack !== null ? kept.before : kept.text) : null;
  let before = keptBefore === null ? null : recall(keptBefore, path);
  let takenBack = isSame && before !== null ? kept.takenBack : null;
  const keep = () => save({ path, text: inFile.text, before: before?.text ?? null, takenBack });
  const file = {
    policy: takenBack !== null && before !== null ? before.policy : inFile.policy,
    loadedAtMs: nowMs(),
    problem: takenBack,
    async reload() {
      try {
        const next = await read();
        if (next.text !== inFile.text) {
          if (takenBack === null) before = inFile;
          takenBack = null;
        }
        file.problem = takenBack;
        if (next.text === inFile.text) return;
        inFile = next;
        const { policy } = next;
        Object.assign(file, { policy, loadedAtMs: nowMs() });
        keep();
        log.info({ path, policy: policy.name, mode: policy.mode }, "the scaling policy has changed");
      } catch (error) {
        const now = describeError(error);
        if (now !== file.problem)
          log.error({ path, err: now }, "the scaling policy file can't be used: the old policy stays in force");
        file.problem = now;
      }
    },
    takeBack(reason: string) {
      if (before === null || takenBack !== null) return false;
      takenBack = `withdrawn until the file changes: ${reason}`;
      Object.assign(file, { policy: before.policy, loadedAtMs: nowMs(), problem: takenBack });
      keep();
      const kind = "the scaling policy missed the SLO: the previous one is in force";
      log.warn({ path, policy: file.policy.name, reason }, kind);
      return true;
    },
  };
  if (takenBack !== null)
    log.warn({ path, policy: file.policy.name, reason: takenBack }, "the scaling policy before is in force");
  keep();
  return file;
}

import { createHash } from "node:crypto";
import { describeError, ServiceError, UsageError } from "#platform/errors.ts";
import { checkTrustedPath } from "#platform/files/check-trusted-path.ts";
import { parseYaml, writeYaml } from "#platform/files/parse-yaml.ts";
import { readRegularText } from "#platform/files/read-regular-file.ts";
import { checkScalingPolicy, parseScalingPolicy } from "../parse-scaling-policy.ts";
import type { ScalingPolicy } from "../scaling-policy.ts";
import { type ShownText, showPolicyText, unmaskPolicy } from "./masked-text.ts";
import { writePolicyFile } from "./write-policy-file.ts";

/** Longest text of a policy, characters. */
export const maxPolicyLength = 262_144;

/** File of a policy as it is now. */
export interface PolicyDocument extends ShownText {
  /** Changes with every byte of the file. */
  readonly version: string;
  /** Fault for which it can't be shown as it is; null: none. */
  readonly fault: string | null;
}

const versionOf = (text: string) => createHash("sha256").update(text).digest("hex").slice(0, 12);

const invalid = (mistakes: readonly string[]) =>
  new ServiceError("INVALID_REQUEST", `text: ${mistakes.join("; ")}`, {
    details: { param: "text", mistakes: mistakes.slice(0, 100) },
  });

/** Parses a text as YAML. @throws ServiceError INVALID_REQUEST with the lines at fault */
function parseText(text: string): unknown {
  try {
    return parseYaml(text, "the policy") ?? {};
  } catch (error) {
    throw invalid(
      describeError(error)
        .split("\n")
        .map((line) => line.trim())
        .filter((line) => line !== ""),
    );
  }
}

/** Reads a policy from a text, without a file. @throws ServiceError INVALID_REQUEST with all mistakes, each beginning with its field */
export function readPolicyText(text: string, current: unknown = null): { policy: ScalingPolicy; text: string } {
  const { input, isChanged, unknown } = unmaskPolicy(parseText(text), current);
  const mistakes = [
    ...unknown.map((path) => `${path}: expected the secret itself, got the placeholder of an unknown one`),
    ...checkScalingPolicy(input),
  ];
  if (mistakes.length > 0) throw invalid(mistakes);
  return {
    policy: parseScalingPolicy(input, "the policy"),
    text: isChanged ? writeYaml(input) : text,
  };
}

/** Reads the policy's file as what was written, secrets included; null where it is at fault: then it holds none that could be meant. */
export async function readPolicyInput(path: string): Promise<unknown> {
  try {
    return parseYaml(await readRegularText(path, maxPolicyLength * 4), path);
  } catch {
    return null;
  }
}

/** Reads the policy's file for people. Never rejects: what is wrong with it is its fault. */
export async function readPolicyDocument(path: string): Promise<PolicyDocument> {
  let version = "";
  try {
    const text = await readRegularText(path, maxPolicyLength * 4);
    version = versionOf(text);
    return { ...showPolicyText(text, parseYaml(text, path) ?? {}), version, fault: null };
  } catch (error) {
    return { text: "", isMasked: false, version, fault: describeError(error) };
  }
}

/**
 * Replaces the policy's file.
 * @param expected version that the new text was made from; null: whatever is there
 * @throws ServiceError INVALID_REQUEST with all mistakes; CONFLICT where it was changed meanwhile or can't be written
 */
export async function replacePolicyFile(path: string, text: string, expected: string | null): Promise<ScalingPolicy> {
  checkTrusted(path);
  const before = await readRegularText(path, maxPolicyLength * 4).catch(() => "");
  if (expected !== null && versionOf(before) !== expected)
    throw new ServiceError("CONFLICT", "the policy has changed since: load it again, and repeat your change");
  const next = readPolicyText(text, await readPolicyInput(path));
  await writePolicyFile(path, next.text);
  return next.policy;
}

function checkTrusted(path: string): void {
  try {
    checkTrustedPath(path, `the policy file ${path}`);
  } catch (cause) {
    if (!(cause instanceof UsageError)) throw cause;
    throw new ServiceError("CONFLICT", cause.message, { cause });
  }
}

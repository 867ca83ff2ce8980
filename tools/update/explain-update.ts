import { knownTimeMs, type UpdateDecision, type UpdateInputs } from "./decide-update.ts";

const day = (atMs: number) => new Date(atMs).toISOString().slice(0, 16).replace("T", " ");

/** Sentence on a decision about a release, with what to do where it is refused. */
export function explainUpdate(decision: UpdateDecision, inputs: UpdateInputs): string {
  const { release, current, wanted } = inputs;
  const { version } = release;
  if (decision.kind === "install") return `${version} replaces ${current}`;
  if (decision.kind === "up-to-date") return `${current} is the newest version`;
  switch (decision.rule) {
    case "other-version":
      return `the manifest is of ${version}, expected ${wanted}: the releases are mixed up`;
    case "older-manifest":
      return `the manifest of ${version}, of ${day(release.releasedAtMs)}, is older than one that this machine has seen (${day(inputs.seenManifestMs)}): someone may be holding newer releases back`;
    case "expired":
      return `the manifest of ${version} ended on ${day(release.expiresAtMs)}, and it is ${day(knownTimeMs(inputs))}: newer releases may be held back (--allow-expired takes it all the same)`;
    case "revoked":
      return `${version} was called back and is not installed`;
    case "no-file":
      return `${version} has no file for this kind of machine (${process.platform}-${process.arch})`;
    case "downgrade":
      return `${version} is older than ${current}, which is in force (--allow-downgrade takes it all the same)`;
    case "too-far":
      return `${version} needs ${release.minVersion} or newer in force, and ${current} is: update to ${release.minVersion} first (--version)`;
    case "failed-before":
      return `${version} has failed on this machine, and the fleet does not try it again here: thormesh update --version ${version} does`;
    default:
      return decision.rule satisfies never;
  }
}

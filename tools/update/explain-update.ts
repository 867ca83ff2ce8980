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
      return `the manifest is for ${version}, expected ${wanted}: the releases are inconsistent`;
    case "older-manifest":
      return `the manifest of ${version}, of ${day(release.releasedAtMs)}, is older than one that this machine has seen (${day(inputs.seenManifestMs)}): someone may be withholding newer releases`;
    case "expired":
      return `the manifest of ${version} expired on ${day(release.expiresAtMs)}, and it is ${day(knownTimeMs(inputs))}: newer releases may have been withheld (--allow-expired accepts it anyway)`;
    case "revoked":
      return `${version} was withdrawn and is not installed`;
    case "no-file":
      return `${version} has no file for this kind of machine (${process.platform}-${process.arch})`;
    case "downgrade":
      return `${version} is older than the running version ${current} (--allow-downgrade accepts it anyway)`;
    case "too-far":
      return `${version} requires ${release.minVersion} or newer, and ${current} is running: update to ${release.minVersion} first (--version)`;
    case "failed-before":
      return `${version} has failed on this machine, so the fleet's orders do not try it again; thormesh update --version ${version} does`;
    default:
      return decision.rule satisfies never;
  }
}

import { UsageError } from "#platform/errors.ts";
import { builtAtMs } from "#platform/version.ts";
import { decideUpdate, type UpdateDecision, type UpdateInputs } from "./decide-update.ts";
import { explainUpdate } from "./explain-update.ts";
import { faultPoint } from "./fault-points.ts";
import { preflight } from "./preflight.ts";
import { standardLimits } from "./release/ask-server.ts";
import { placeRelease } from "./release/place-version.ts";
import { type OfferedRelease, releaseAt, releaseFrom } from "./release/release-source.ts";
import type { UpdateConfig } from "./update-config.ts";
import { UpdateError } from "./update-error.ts";
import { type UpdateOutcome, Updater } from "./updater.ts";

export interface UpdateRequest {
  /** Version by name; null: the newest. */
  readonly version: string | null;
  /** File on this machine; null: the address of the configuration. */
  readonly file: string | null;
  readonly allowDowngrade: boolean;
  readonly allowExpired: boolean;
  /** True: the fleet's controller asked. */
  readonly byFleet: boolean;
}

/** Receives what happens, for people. */
export type Say = (sentence: string) => void;

async function offer(updater: Updater, { version, file }: UpdateRequest): Promise<OfferedRelease> {
  const { keys, config } = updater;
  if (keys.length === 0)
    throw new UsageError("this build has no release key: add one in /etc/thormesh/update.yaml (publicKeys)");
  if (file !== null) return await releaseFrom(file, keys);
  if (config.url === null)
    throw new UsageError("expected the releases' address: --url, --file, or url in /etc/thormesh/update.yaml");
  const limits = { ...standardLimits, minBytesPerS: config.minBytesPerS };
  return await releaseAt(config.url, version, keys, limits, Bun.sleep);
}

function decide(updater: Updater, offered: OfferedRelease, request: UpdateRequest) {
  const { seenManifestMs, revoked, failed } = updater.state;
  const inputs: UpdateInputs = {
    ...{ release: offered.release, current: updater.current, wanted: request.version },
    // A file was chosen by hand, and so was its age.
    seenManifestMs: request.file === null ? seenManifestMs : 0,
    ...{ allowDowngrade: request.allowDowngrade, allowExpired: request.allowExpired, byFleet: request.byFleet },
    ...{ revoked, failed, nowMs: Date.now(), builtAtMs },
  };
  const decision = decideUpdate(inputs);
  return { decision, sentence: explainUpdate(decision, inputs) };
}

/** Looks whether there is a release for this machine; changes nothing but what is remembered of manifests. */
export async function checkForUpdate(
  config: UpdateConfig,
  request: UpdateRequest,
  say: Say,
): Promise<{ readonly decision: UpdateDecision; readonly sentence: string; readonly current: string }> {
  const updater = await Updater.open(config, say);
  try {
    const offered = await offer(updater, request);
    updater.remember(offered.release);
    return { ...decide(updater, offered, request), current: updater.current };
  } finally {
    updater.close();
  }
}

/**
 * Brings a release into force: fetches, verifies, tries, switches, watches; goes back by itself.
 * @throws UpdateError when the release is not taken, and then nothing has changed
 */
export async function runUpdate(config: UpdateConfig, request: UpdateRequest, say: Say): Promise<UpdateOutcome> {
  const updater = await Updater.open(config, say);
  try {
    const offered = await offer(updater, request);
    updater.remember(offered.release);
    faultPoint("manifest");
    const { decision, sentence } = decide(updater, offered, request);
    if (decision.kind === "up-to-date")
      return { state: updater.state.state, version: updater.current, reason: sentence };
    if (decision.kind === "refuse") throw new UpdateError(sentence);
    say(sentence);
    const { version } = decision;
    const present = updater.layout.has(updater.current) ? updater.layout.executableOf(updater.current) : null;
    updater.noteFile(version, await placeRelease(updater.layout, offered, sayProgress(say)));
    try {
      await preflight({ next: updater.layout.executableOf(version), present }, version, updater.config.services);
    } catch (error) {
      if (error instanceof UpdateError) updater.noteFailure(version, error.message);
      throw error;
    }
    say(`${version} runs here and accepts this device's configuration`);
    faultPoint("preflight");
    const outcome = await updater.putInForce(version);
    if (outcome.state === "returned") await sayServices(updater, say);
    return outcome;
  } catch (error) {
    // Nobody looks at an update by the fleet but the agent, which tells the controller.
    if (request.byFleet && request.version !== null && error instanceof UpdateError && !error.temporary)
      updater.noteFailure(request.version, error.message);
    throw error;
  } finally {
    updater.close();
  }
}

/** Goes back to the version before. */
export async function runRollback(config: UpdateConfig, say: Say): Promise<UpdateOutcome> {
  const updater = await Updater.open(config, say);
  try {
    const outcome = await updater.goBack("rolled back by an operator");
    await sayServices(updater, say);
    return outcome;
  } finally {
    updater.close();
  }
}

/** Ends what an earlier update left undone, and nothing else. */
export async function settleUpdate(config: UpdateConfig, say: Say): Promise<UpdateOutcome> {
  const updater = await Updater.open(config, say);
  try {
    const { state, reason } = updater.state;
    return { state, version: updater.current, reason };
  } finally {
    updater.close();
  }
}

async function sayServices(updater: Updater, say: Say): Promise<void> {
  const flaw = await updater.awaitServices();
  if (flaw !== null) say(`${updater.current} is running again, but ${flaw} within ${updater.config.startWithinS} s`);
}

/** Says each quarter of a download once. */
function sayProgress(say: Say): (share: number) => void {
  let said = 0;
  return (share) => {
    const quarters = Math.floor(share * 4);
    if (quarters <= said || quarters > 3) return;
    said = quarters;
    say(`${quarters * 25} % of the download`);
  };
}

import { basename } from "node:path";
import { describeError } from "#platform/errors.ts";
import { ownExecutable } from "#platform/process/own-installation.ts";
import { selfCommand } from "#platform/process/self-command.ts";
import { secondMs } from "#platform/time.ts";
import { version as ownVersion } from "#platform/version.ts";
import { hashFile } from "#protocol/release/file-hashes.ts";
import { parseReleaseKey, type ReleaseKey } from "#protocol/release/minisign.ts";
import { releaseKeys } from "#protocol/release/release-keys.ts";
import { decideSettlement } from "./decide-settlement.ts";
import { faultPoint } from "./fault-points.ts";
import { addressOf, lookAt } from "./health/look-at-service.ts";
import { type WatchedService, watchHealth } from "./health/watch-health.ts";
import { keepLink, Layout } from "./layout.ts";
import { adopt } from "./release/place-version.ts";
import { restartServices, runningServices } from "./service-control.ts";
import type { UpdateConfig } from "./update-config.ts";
import { UpdateError } from "./update-error.ts";
import { lockUpdates } from "./update-lock.ts";
import { readUpdateState, type UpdateState, writeUpdateState } from "./update-state.ts";

const maxRemembered = 64;

/** Outcome of an update, a settlement or a return. */
export interface UpdateOutcome {
  readonly state: UpdateState["state"];
  /** Version in force now. */
  readonly version: string;
  readonly reason: string;
}

/** The versions of this machine, and what is being done with them, under a lock. */
export class Updater {
  readonly config: UpdateConfig;
  readonly layout: Layout;
  readonly #say: (sentence: string) => void;
  readonly #unlock: () => void;
  #state: UpdateState;

  private constructor(
    config: UpdateConfig,
    parts: { layout: Layout; state: UpdateState; say: (sentence: string) => void; unlock: () => void },
  ) {
    this.config = config;
    this.layout = parts.layout;
    this.#state = parts.state;
    this.#say = parts.say;
    this.#unlock = parts.unlock;
  }

  /**
   * Locks the machine's versions, and ends what an earlier update left undone.
   * @throws UsageError when the directory can't be written, UpdateError when another update is under way
   */
  static async open(config: UpdateConfig, say: (sentence: string) => void): Promise<Updater> {
    const layout = new Layout(config.prefix);
    layout.prepare();
    const unlock = lockUpdates(config.prefix);
    try {
      faultPoint("locked");
      layout.clearUnfinished();
      const updater = new Updater(config, { layout, state: await readUpdateState(config.prefix, say), say, unlock });
      await updater.#adoptIfNew();
      await updater.settle();
      return updater;
    } catch (error) {
      unlock();
      throw error;
    }
  }

  close(): void {
    this.#unlock();
  }

  get state(): UpdateState {
    return this.#state;
  }

  /** Version in force. */
  get current(): string {
    return this.layout.linked("current") ?? ownVersion;
  }

  /** Keys that may sign releases here. */
  get keys(): readonly ReleaseKey[] {
    return [...releaseKeys, ...this.config.publicKeys.map(parseReleaseKey)];
  }

  save(change: Partial<UpdateState>): void {
    this.#state = { ...this.#state, ...change };
    writeUpdateState(this.config.prefix, this.#state);
  }

  /** Remembers what a believed manifest says, whether or not it is taken. */
  remember(release: {
    readonly version: string;
    readonly releasedAtMs: number;
    readonly revoked: readonly string[];
  }): void {
    const isNewer = release.releasedAtMs > this.#state.seenManifestMs;
    const revoked = [...new Set([...this.#state.revoked, ...release.revoked])].slice(-maxRemembered * 4);
    if (!isNewer && revoked.length === this.#state.revoked.length) return;
    const seen = isNewer ? { seenManifestMs: release.releasedAtMs, seenVersion: release.version } : {};
    this.save({ revoked, ...seen });
  }

  /** Puts a version that is here, and was tried, into force; goes back by itself when it is not well. */
  async putInForce(version: string): Promise<UpdateOutcome> {
    const previous = this.current;
    await this.#refuseChangedFile(version);
    await this.#noteHash(previous);
    const services = await this.#watched();
    this.layout.forgetAttempts();
    this.layout.forgetReturn(version);
    this.save({
      ...{ state: "switched", version, previous, reason: `${version} is on trial`, atMs: Date.now() },
      before: Object.fromEntries(services.map(({ address, before }) => [address.kind, before])),
    });
    faultPoint("state-switching");
    // `previous` stays as it is until the new version has stood its trial: after a failed one it must lead to the version before this one.
    this.layout.point("current", version);
    faultPoint("current-link");
    if (this.config.link !== null) keepLink(this.config.link, this.layout);
    faultPoint("switched");
    return await this.#trial(false);
  }

  /** Goes back to the version before, which must be the file that was verified. */
  async goBack(reason: string): Promise<UpdateOutcome> {
    const { current } = this;
    const previous = this.layout.linked("previous");
    if (previous === null || previous === current || !this.layout.has(previous))
      throw new UpdateError(
        `there is no version before ${current} to roll back to (thormesh update --version V --allow-downgrade takes an older release)`,
      );
    await this.#refuseChangedFile(previous);
    // Who goes back to it has their reasons, so that its own trial is not asked for.
    return await this.#return(current, previous, reason);
  }

  /** Ends what an update that was killed left undone. */
  async settle(): Promise<void> {
    const { version, previous } = this.#state;
    if (version === null || previous === null) return;
    const inputs = { state: this.#state, current: this.layout.linked("current"), gaveUp: this.layout.gaveUp(version) };
    const settlement = decideSettlement(inputs);
    switch (settlement) {
      case "nothing":
        return;
      case "not-switched":
        this.save({ state: "idle", reason: `the update to ${version} was interrupted before the switch` });
        this.#say(`the update to ${version} had been cut short before it was in force: ${this.current} still is`);
        return;
      case "watch":
        this.#say(`the update to ${version} had been interrupted: continuing it`);
        await this.#trial(true);
        return;
      case "returned":
        this.#say(`${version} did not start, and the boot guard rolled back to ${previous}`);
        await this.#return(version, previous, "it did not start");
        return;
      case "return":
        await this.#return(version, previous, this.#state.reason);
        return;
      default:
        settlement satisfies never;
    }
  }

  async #watched(): Promise<WatchedService[]> {
    const watched: WatchedService[] = [];
    for (const service of await runningServices(this.config)) {
      const address = await addressOf(service);
      const look = await lookAt(address, 0);
      // One that does not answer now must be well afterwards: perhaps that is what the update is for.
      watched.push({ address, before: { ready: look.ready || look.version === null, broker: look.broker === true } });
    }
    return watched;
  }

  /**
   * Restarts the services and watches the version in force.
   * @param isResumed true: an update was cut short, after which the services may run it already
   */
  async #trial(isResumed: boolean): Promise<UpdateOutcome> {
    const { version, previous, before } = this.#state as UpdateState & { version: string; previous: string };
    const { startWithinS, healthWindowS } = this.config;
    let flaw: string | null;
    try {
      const services = await runningServices(this.config);
      const watched = await Promise.all(
        services.map(async (service) => ({
          address: await addressOf(service),
          before: before[service.kind] ?? { ready: true, broker: false },
        })),
      );
      const looks = isResumed ? await Promise.all(watched.map(({ address }) => lookAt(address, 0))) : [];
      // A needless start would count against it in the guard at boot.
      const allRun = isResumed && looks.every((look) => look.version === version);
      if (!allRun) await restartServices(this.config, services);
      faultPoint("restarted");
      if (services.length > 0) this.#say(`${version} is running: watching it for ${healthWindowS} s`);
      const times = { startWithinMs: startWithinS * secondMs, windowMs: healthWindowS * secondMs };
      flaw = await watchHealth(watched, version, times, () => this.layout.gaveUp(version));
    } catch (error) {
      flaw = describeError(error);
    }
    if (flaw !== null) return await this.#return(version, previous, flaw);
    if (this.layout.has(previous)) this.layout.point("previous", previous);
    faultPoint("previous-link");
    this.save({ state: "healthy", reason: `${version} is healthy`, atMs: Date.now() });
    faultPoint("healthy");
    this.layout.forgetAttempts();
    this.#prune();
    return { state: "healthy", version, reason: this.#state.reason };
  }

  async #return(version: string, previous: string, reason: string): Promise<UpdateOutcome> {
    const failed = [...this.#state.failed.filter((each) => each !== version && each !== previous), version];
    this.save({
      state: "returning",
      version,
      previous,
      reason: reason.slice(0, 2048),
      atMs: Date.now(),
      failed: failed.slice(-maxRemembered),
    });
    faultPoint("return-begun");
    this.layout.point("current", previous);
    faultPoint("return-link");
    this.layout.forgetAttempts();
    this.layout.forgetReturn(version);
    await restartServices(this.config, await runningServices(this.config));
    faultPoint("restarted-again");
    // What an operator went back to has none before it that is known; after a failed update the link still leads to the version before this one.
    if (this.layout.linked("previous") === previous) this.layout.forgetPrevious();
    this.save({ state: "returned" });
    faultPoint("returned");
    // The one that was left stays here, so that it need not be fetched to be tried again.
    this.#prune([version]);
    return { state: "returned", version: previous, reason };
  }

  /** Keeps the version in force, the one before it and these, with their hashes. */
  #prune(others: readonly string[] = []): void {
    this.layout.prune(others);
    const hashes = Object.entries(this.#state.hashes).filter(([version]) => this.layout.has(version));
    this.save({ hashes: Object.fromEntries(hashes) });
    faultPoint("pruned");
  }

  /** Waits until the services answer with the version in force. Resolves with what is wrong; null: nothing. */
  async awaitServices(): Promise<string | null> {
    const services = await runningServices(this.config);
    const watched = await Promise.all(
      services.map(async (service) => ({ address: await addressOf(service), before: { ready: false, broker: false } })),
    );
    return watchHealth(watched, this.current, { startWithinMs: this.config.startWithinS * secondMs, windowMs: 0 });
  }

  /** Notes the hash of a version that an installer laid down, so that a later change of it is seen. */
  async #noteHash(version: string): Promise<void> {
    if (this.#state.hashes[version] !== undefined || !this.layout.has(version)) return;
    const { sha256 } = await hashFile(this.layout.executableOf(version), Number.MAX_SAFE_INTEGER);
    this.noteFile(version, sha256);
  }

  /** Notes the hash of a version's file. */
  noteFile(version: string, sha256: string): void {
    this.save({ hashes: { ...this.#state.hashes, [version]: sha256 } });
  }

  /** Notes that a version did not pass on this machine, and why. */
  noteFailure(version: string, reason: string): void {
    const failed = [...this.#state.failed.filter((each) => each !== version), version].slice(-maxRemembered);
    this.save({ failed, reason: reason.slice(0, 2048), atMs: Date.now() });
  }

  async #refuseChangedFile(version: string): Promise<void> {
    const expected = this.#state.hashes[version];
    const { sha256 } = await hashFile(this.layout.executableOf(version), Number.MAX_SAFE_INTEGER);
    if (expected !== undefined && sha256 === expected) return;
    throw new UpdateError(
      `${this.layout.executableOf(version)} was changed since it was installed (expected sha256 ${expected ?? "unknown"}, got ${sha256}): it is not activated`,
    );
  }

  /** Takes an installation without versions over: the running file becomes the first one. */
  async #adoptIfNew(): Promise<void> {
    if (this.layout.linked("current") !== null) return;
    // From the sources there is no file that could be a version.
    if (selfCommand().length > 1 && basename(process.execPath).startsWith("bun"))
      throw new UpdateError(
        `${this.config.prefix} contains no version, and this program runs from its sources: install a release first`,
      );
    const sha256 = await adopt(this.layout, ownExecutable(), ownVersion);
    this.noteFile(ownVersion, sha256);
    this.layout.point("current", ownVersion);
    if (this.config.link !== null) keepLink(this.config.link, this.layout);
  }
}

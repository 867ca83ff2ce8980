import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { releaseKeys } from "#protocol/release/release-keys.ts";
import bootCheck from "../../deploy/boot-check" with { type: "text" };
import agentUnit from "../../deploy/thormesh-agent.service" with { type: "text" };
import controllerUnit from "../../deploy/thormesh-controller.service" with { type: "text" };
import powerUnit from "../../deploy/thormesh-power@.service" with { type: "text" };
import powerSocket from "../../deploy/thormesh-power.socket" with { type: "text" };
import powerSudoers from "../../deploy/thormesh-power.sudoers" with { type: "text" };
import updatePath from "../../deploy/thormesh-update.path" with { type: "text" };
import updateUnit from "../../deploy/thormesh-update.service" with { type: "text" };
import resumeUnit from "../../deploy/thormesh-update-resume.service" with { type: "text" };
import installer from "../../scripts/install.sh" with { type: "text" };
import { withReleaseKey } from "./with-release-key.ts";

/** Files beside the executable that an installation needs. */
const files: Readonly<Record<string, string>> = {
  "boot-check": bootCheck,
  "install.sh": withReleaseKey(installer, releaseKeys[0] ?? null),
  "thormesh-agent.service": agentUnit,
  "thormesh-controller.service": controllerUnit,
  "thormesh-power.socket": powerSocket,
  "thormesh-power.sudoers": powerSudoers,
  "thormesh-power@.service": powerUnit,
  "thormesh-update-resume.service": resumeUnit,
  "thormesh-update.path": updatePath,
  "thormesh-update.service": updateUnit,
};

/** Writes them into a directory, for the installer. */
export function writeServiceFiles(directory: string): void {
  mkdirSync(directory, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
}

import { hasUserInfo } from "#platform/fetch/redact-url.ts";
import type { Logger } from "#platform/log.ts";

/** Warns that every user of the machine can read a password among the arguments. */
export function warnOfOpenSecret(
  option: string,
  url: string | undefined,
  log: Logger,
  place = "broker.passwordFile or THORMESH_MQTT_PASSWORD_FILE",
): void {
  if (url === undefined || !hasUserInfo(url)) return;
  log.warn({ option }, `a password on the command line can be read by every user of this machine: put it in ${place}`);
}

/** Steps of an update after which a power cut must leave a working device; tests kill the program at each of them. */
export const faultPoints = [
  "locked",
  "adopted-file",
  "adopted",
  "manifest",
  "download-begun",
  "download-half",
  "downloaded",
  "verified",
  "placed-file",
  "placed",
  "preflight",
  "state-switching",
  "current-link",
  "switched",
  "restarted",
  "previous-link",
  "healthy",
  "pruned",
  "return-begun",
  "return-link",
  "restarted-again",
  "returned",
] as const;
export type FaultPoint = (typeof faultPoints)[number];

/** Names the point at which a test wants the program to be killed. */
const faultVariable = "THORMESH_TEST_KILL_AT";

/** Ends this process as a power cut would, at the point that a test asks for; does nothing otherwise. */
export function faultPoint(name: FaultPoint): void {
  if (process.env[faultVariable] === name) process.kill(process.pid, "SIGKILL");
}

/**
 * Asks git about the commit that is checked out.
 * @throws Error with what git says
 */
export function git(root: string, ...words: string[]): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync(["git", ...words], { cwd: root });
  if (exitCode !== 0) throw new Error(`git ${words.join(" ")}: ${stderr.toString().trim()}`);
  return stdout.toString().trim();
}

/**
 * Time of the sources in seconds since 1970: SOURCE_DATE_EPOCH, else the commit's, so that the same sources make the same files.
 * @throws Error where there is neither, and for a variable that is no time
 */
export function sourceTimeS(root: string): number {
  const epoch = process.env["SOURCE_DATE_EPOCH"];
  if (epoch !== undefined && !/^[0-9]{9,10}$/.test(epoch))
    throw new Error(`SOURCE_DATE_EPOCH: expected seconds since 1970, got "${epoch}"`);
  return Number(epoch ?? git(root, "log", "-1", "--format=%ct"));
}

import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const root = join(import.meta.dir, "..");
const pages = new TextDecoder()
  .decode(
    Bun.spawnSync(["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"], { cwd: root }).stdout,
  )
  .trim()
  .split("\n")
  .filter((path) => existsSync(join(root, path)) && !path.startsWith("test/fixtures/"));

/** Anchors of a page's headings, as GitHub makes them. */
function anchorsOf(path: string): Set<string> {
  const headings = readFileSync(join(root, path), "utf8").matchAll(/^#+ (.*)$/gm);
  return new Set(
    [...headings].map(([, heading = ""]) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

test.each(pages)("%s: every link within the project leads somewhere", (page) => {
  const text = readFileSync(join(root, page), "utf8").replaceAll(/```[\s\S]*?```|`[^`\n]*`/g, "");
  const dead = [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map((match) => match[1] as string)
    .filter((link) => !/^[a-z]+:/.test(link))
    .filter((link) => {
      const [path = "", anchor] = link.split("#");
      const target = path === "" ? page : join(dirname(page), path);
      if (!existsSync(join(root, target))) return true;
      return anchor !== undefined && !anchorsOf(target).has(anchor);
    });
  expect(dead).toEqual([]);
});

const sources = new TextDecoder()
  .decode(
    Bun.spawnSync(
      ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.ts", "*.tsx", "*.sh", "scripts"],
      {
        cwd: root,
      },
    ).stdout,
  )
  .trim()
  .split("\n")
  .filter((path) => existsSync(join(root, path)) && !path.startsWith("test/"));

test("every page of docs/ that a source names, in what it prints or shows, is there", () => {
  const dead = sources.flatMap((path) =>
    [...readFileSync(join(root, path), "utf8").matchAll(/\bdocs\/([\w/-]+\.md)(?:#([\w-]+))?/g)]
      .filter(([, page = "", anchor]) => {
        const target = `docs/${page}`;
        return !existsSync(join(root, target)) || (anchor !== undefined && !anchorsOf(target).has(anchor));
      })
      .map(([named]) => `${path}: ${named}`),
  );
  expect(dead).toEqual([]);
});

import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { totalmem } from "node:os";
import { dirname, join } from "node:path";
import { createMemoryKills, explainMemoryKill } from "#platform/process/memory-kills.ts";
import { temporaryDirectory } from "../../e2e/program.ts";

const directory = temporaryDirectory();
afterAll(() => directory.remove());

let made = 0;
function rootWith(files: Readonly<Record<string, string>>): string {
  made += 1;
  const root = join(directory.path, String(made));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

const events = (kills: number) => `low 0\nhigh 0\nmax 7\noom 3\noom_kill ${kills}\noom_group_kill 9\n`;
const control = (kills: number) => `oom_kill_disable 0\nunder_oom 0\noom_kill ${kills}\n`;
const unlimited = "9223372036854771712\n";

describe("kills and the limit are read where the kernel states them", () => {
  test.each([
    {
      name: "version 2, the limit of a group above",
      files: {
        "proc/self/cgroup": "0::/system.slice/thormesh.service\n",
        "sys/fs/cgroup/system.slice/thormesh.service/memory.events": events(2),
        "sys/fs/cgroup/system.slice/thormesh.service/memory.max": "max\n",
        "sys/fs/cgroup/system.slice/memory.max": "550000000\n",
      },
      kills: 2,
      limit: 550_000_000,
    },
    {
      name: "version 2 in a container that sees its own group as the root",
      files: {
        "proc/self/cgroup": "0::/\n",
        "sys/fs/cgroup/memory.events": events(4),
        "sys/fs/cgroup/memory.max": "123000000\n",
      },
      kills: 4,
      limit: 123_000_000,
    },
    {
      name: "version 1, beside an empty version 2",
      files: {
        "proc/self/cgroup": "9:name=systemd:/\n4:memory,hugetlb:/docker/abc\n1:cpu:/\n0::/\n",
        "sys/fs/cgroup/memory/docker/abc/memory.oom_control": control(1),
        "sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": "300000000\n",
        "sys/fs/cgroup/memory/docker/memory.limit_in_bytes": unlimited,
      },
      kills: 1,
      limit: 300_000_000,
    },
    {
      name: "version 1 in a container whose mount begins at its own group",
      files: {
        "proc/self/cgroup": "4:memory:/docker/abc\n",
        "sys/fs/cgroup/memory/memory.oom_control": control(6),
        "sys/fs/cgroup/memory/memory.limit_in_bytes": unlimited,
      },
      kills: 6,
      limit: totalmem(),
    },
    {
      name: "no group: the whole machine's",
      files: { "proc/vmstat": "nr_free_pages 12\noom_kill 5\n", "proc/self/cgroup": "0::/\n" },
      kills: 5,
      limit: totalmem(),
    },
    { name: "nothing", files: {}, kills: null, limit: totalmem() },
  ])("$name", ({ files, kills, limit }) => {
    const memory = createMemoryKills(rootWith(files));
    expect([memory.count(), memory.limitBytes()]).toEqual([kills, limit]);
  });

  test("a later kill is counted", () => {
    const root = rootWith({ "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.events": events(0) });
    const memory = createMemoryKills(root);
    expect(memory.count()).toBe(0);
    writeFileSync(join(root, "sys/fs/cgroup/memory.events"), events(1));
    expect(memory.count()).toBe(1);
    rmSync(root, { recursive: true });
    expect(memory.count()).toBeNull();
  });
});

test.each([
  [620e6, 410e6, "(it needs some 620 MB; it had 410 MB; the limit for all processes together is 550 MB)"],
  [null, 410e6, "(it had 410 MB; the limit for all processes together is 550 MB)"],
  [null, null, "(the limit for all processes together is 550 MB)"],
])("needs %p, had %p", (neededBytes, hadBytes, says) => {
  expect(explainMemoryKill({ neededBytes, hadBytes, limitBytes: 550e6 })).toBe(`was killed for lack of memory ${says}`);
});

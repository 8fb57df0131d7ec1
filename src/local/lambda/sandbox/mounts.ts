import { chmodSync, lstatSync, mkdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ConfigurationError } from "../../../ops/errors.ts";
import { makeTemporaryFolder, removeReadOnly } from "../code/temporary.ts";
import type { Layout, Parts } from "./sandbox.ts";

/** Where AWS has them. */
export const AWS_LAYOUT: Layout = {
  taskRoot: "/var/task",
  opt: "/opt",
  lang: "/var/lang",
  runtime: "/var/runtime",
  sdk: "/var/runtime/node_modules",
  support: "/var/rapid",
};

/** The root directory that a function's processes see, and the table of its mounts in the form of fstab(5). */
export interface PrivateRoot {
  readonly directory: string;
  readonly fstab: string;
  remove(): Promise<void>;
}

/** What of this machine a function may see, read-only; the rest is not there. */
const SYSTEM = ["usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "etc", "nix", "sys"];
/** Written to, as far as the permissions in them allow. */
const DEVICES = ["dev", "proc"];

/** The user of AWS's execution environment, as recorded from it. */
const USER = "sbx_user1051";

const PASSWD = [
  "root:x:0:0:root:/root:/bin/sh",
  "nobody:x:65534:65534:nobody:/:/usr/sbin/nologin",
  `${USER}:x:993:990::/home/${USER}:/usr/sbin/nologin`,
  "",
].join("\n");

/** A mount option that a user namespace may not take away from a mount of this machine. */
const LOCKED = new Set(["nosuid", "nodev", "noexec", "noatime", "nodiratime"]);

/** Makes an empty root with its mount points; `tmpSize` in MB. The mounts themselves are made in each namespace. */
export async function makePrivateRoot(parts: Parts, tmpSize: number): Promise<PrivateRoot> {
  const folder = await makeTemporaryFolder();
  const remove = (): Promise<void> => removeReadOnly(folder);
  try {
    const root = join(folder, "root");
    for (const part of ["tmp", ...Object.values(AWS_LAYOUT)]) mkdirSync(join(root, part), { recursive: true });
    // ES modules do not look where NODE_PATH says.
    symlinkSync(AWS_LAYOUT.sdk, join(root, "node_modules"));
    writeFileSync(join(root, "lambda-entrypoint.sh"), "#!/bin/sh\n", { mode: 0o755 });
    writeFileSync(join(folder, "passwd"), PASSWD, { mode: 0o644 });
    const mounts = [
      bind(root, root),
      ...makeSystemMounts(root),
      bind(join(folder, "passwd"), join(root, "etc/passwd")),
      ...(await makeResolverMount(root)),
      ["tmpfs", join(root, "tmp"), "tmpfs", `size=${tmpSize}m,mode=1777,nosuid,nodev`],
    ];
    // A part that lies where AWS has it is none of this function's: it has no layers, or no Node.js.
    for (const [part, path] of Object.entries(AWS_LAYOUT) as [keyof Layout, string][])
      if (parts[part] !== path) mounts.push(bind(await realpath(parts[part]), join(root, path)));
    const fstab = join(folder, "fstab");
    writeFileSync(fstab, mounts.map((mount) => `${mount.map(escapeField).join(" ")} 0 0\n`).join(""));
    // The last: whoever writes in `root` must still be allowed to.
    for (const part of ["", "var", "opt", "tmp"]) chmodSync(join(root, part), 0o755);
    return { directory: root, fstab, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Directories of this machine's root; where one is a symbolic link (`/bin` to `usr/bin`), the same link. */
function makeSystemMounts(root: string): string[][] {
  return [...SYSTEM, ...DEVICES].flatMap((name) => {
    const found = lstatSync(`/${name}`, { throwIfNoEntry: false });
    if (found?.isSymbolicLink()) symlinkSync(readlinkSync(`/${name}`), join(root, name));
    if (!found?.isDirectory()) return [];
    mkdirSync(join(root, name));
    return [bind(`/${name}`, join(root, name), !DEVICES.includes(name))];
  });
}

/** Where /etc/resolv.conf is a link out of /etc, what it points to is there too. */
async function makeResolverMount(root: string): Promise<string[][]> {
  const file = await realpath("/etc/resolv.conf").catch(() => "/etc/resolv.conf");
  if (/^\/(etc|usr)\//.test(file)) return [];
  mkdirSync(join(root, dirname(file)), { recursive: true });
  return [bind(dirname(file), join(root, dirname(file)))];
}

function bind(source: string, target: string, readOnly = true): string[] {
  const options = ["rbind", ...(readOnly ? ["ro"] : []), ...lockedOptions(source)];
  return [source, target, "none", options.join(",")];
}

function lockedOptions(path: string): string[] {
  let best = { point: "", options: "" };
  for (const line of readFileSync("/proc/self/mountinfo", "utf8").split("\n")) {
    const [, , , , point = "", options = ""] = line.split(" ");
    const holds = point === "/" || path === point || path.startsWith(`${point}/`);
    if (holds && point.length >= best.point.length) best = { point, options };
  }
  return best.options.split(",").filter((option) => LOCKED.has(option));
}

/** Octal escapes for what separates fields. */
function escapeField(text: string): string {
  if (text.includes("\0")) throw new ConfigurationError([`path: expected no NUL, got ${JSON.stringify(text)}`]);
  return text.replace(/[ \t\n\\#]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, "0")}`);
}

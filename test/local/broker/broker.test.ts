import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { openConnection } from "../../../src/local/broker/amqp-handshake.ts";
import { findBroker, findOrStartBroker, stopBroker } from "../../../src/local/broker/broker.ts";
import type { BrokerAddress } from "../../../src/local/broker/broker-address.ts";
import { withLock } from "../../../src/local/broker/state.ts";
import type { BrokerAddress as ClusterAddress } from "../../../src/queue/broker-address.ts";
import { Publisher } from "../../../src/queue/publisher.ts";
import { Queues } from "../../../src/queue/queues.ts";
import { makeFolder } from "../../helpers/function-zip.ts";
import { ROOT } from "../../helpers/program.ts";
import { until } from "../../helpers/until.ts";

const directory = mkdtempSync(join(tmpdir(), "pigeon-broker-"));
const said: string[] = [];
const OPTIONS = {
  directory,
  user: "us er",
  password: "p#'\"ä",
  virtualHost: "v/h",
  queues: ["test.normal"],
  say: (sentence: string): void => void said.push(sentence),
};

/** What is remembered of the running broker. */
const state = (): { pid: number; epmdPid: number } => JSON.parse(readFileSync(join(directory, "state.json"), "utf8"));

/** Running processes whose command line names the directory of this test, or its epmd port. */
function ours(): string[] {
  const epmd = JSON.parse(readFileSync(join(directory, "ports.json"), "utf8")).epmd;
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
      } catch {
        return [];
      }
    })
    .filter((line) => line.includes(`${directory} `) || line.includes(`epmd -address 127.0.0.1 -port ${epmd}`));
}

before(async () => {
  assert.equal((await findOrStartBroker(OPTIONS)).started, true);
});

/** A development broker's address as clients of the crash queue want it. */
function at({ host, port, ...credentials }: BrokerAddress): ClusterAddress {
  return { nodes: [{ host, port }], ...credentials };
}

after(async () => {
  await stopBroker(directory);
  rmSync(directory, { recursive: true, force: true });
});

test("it is ready when it says so: credentials open the virtual host, the queue is there, guest is not", async () => {
  const address = await findBroker(directory);
  assert.ok(address !== undefined);
  const queues = await Queues.open(at(address));
  assert.equal(await queues.count("test.normal"), 0);
  await queues.close();
  await assert.rejects(openConnection({ ...address, password: "wrong" }, 2000));
  await assert.rejects(openConnection({ ...address, user: "guest", password: "guest", virtualHost: "/" }, 2000));
  assert.match(said.join("\n"), /starting RabbitMQ[\s\S]*RabbitMQ is ready on 127\.0\.0\.1:\d+ after [\d.]+ s/);
  assert.equal(statSync(join(directory, "state.json")).mode & 0o777, 0o600);
});

test("nothing of it listens on anything but loopback", () => {
  const { pid, epmdPid } = state();
  const inodes = [pid, epmdPid].flatMap((process) =>
    readdirSync(`/proc/${process}/fd`).flatMap((fd) => {
      try {
        return /socket:\[(\d+)\]/.exec(readlinkSync(`/proc/${process}/fd/${fd}`))?.[1] ?? [];
      } catch {
        return [];
      }
    }),
  );
  const listening = ["tcp", "tcp6"].flatMap((table) =>
    readFileSync(`/proc/net/${table}`, "latin1")
      .split("\n")
      .map((line) => line.trim().split(/\s+/))
      .filter(([, , , status, , , , , , inode]) => status === "0A" && inodes.includes(inode ?? ""))
      .map(([, local]) => local?.split(":")[0]),
  );
  assert.ok(listening.length >= 3, "AMQP, distribution and epmd");
  const loopback = ["0100007F", "00000000000000000000000001000000"]; // epmd adds ::1
  assert.deepEqual(
    listening.filter((address) => !loopback.includes(address ?? "")),
    [],
  );
});

test("a second call finds it, whichever process makes it", async () => {
  const { pid } = state();
  assert.equal((await findOrStartBroker(OPTIONS)).started, false);
  assert.equal(state().pid, pid);
});

test("after SIGKILL the next call starts it again, only once, and durable messages are still there", async () => {
  const address = await findBroker(directory);
  assert.ok(address !== undefined);
  const publisher = new Publisher(async () => at(address));
  const { failures } = await publisher.publish([{ id: "durable", queue: "test.normal" }], Date.now() + 5000);
  assert.deepEqual(failures, []);
  publisher.close();
  process.kill(state().pid, "SIGKILL");
  await until("it is seen to be gone", async () => (await findBroker(directory)) === undefined);
  const program = `
    const { findOrStartBroker } = await import("${ROOT}/src/local/broker/broker.ts");
    const { started } = await findOrStartBroker({ ...${JSON.stringify(OPTIONS)}, say: () => {} });
    console.log(started);`;
  const answers = await Promise.all(
    [1, 2].map(async () => {
      const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const [line] = (await once(child.stdout, "data")) as [Buffer];
      return line.toString().trim();
    }),
  );
  assert.deepEqual(answers.sort(), ["false", "true"]);
  const again = await findBroker(directory);
  assert.equal(again?.port, address.port, "the port is kept");
  const queues = await Queues.open(at(again ?? address));
  assert.deepEqual(await queues.peek("test.normal", 5), ["durable"]);
  await queues.close();
});

test("other credentials work too: it is started again", async () => {
  const changed = { ...OPTIONS, user: "other", password: "changed" };
  const { address, started } = await findOrStartBroker(changed);
  assert.equal(started, true);
  assert.equal(address.user, "other");
  assert.match(said.join("\n"), /runs with other credentials: starting it again/);
  const queues = await Queues.open(at(address));
  assert.equal(await queues.count("test.normal"), 1);
  await queues.close();
});

test("stopping leaves no process of ours, and a second stop finds nothing", async () => {
  assert.ok(ours().length >= 2, "server and epmd run");
  assert.equal(await stopBroker(directory), true);
  assert.deepEqual(ours(), []);
  assert.equal(existsSync(join(directory, "state.json")), false);
  assert.equal(await stopBroker(directory), false);
});

test("a broker that does not start is one clear sentence with the end of its log, and nothing is left", async (t) => {
  const folder = makeFolder(t);
  const server = join(folder, "rabbitmq-server");
  writeFileSync(server, '#!/bin/sh\necho "error: eacces in data directory"\nexit 3\n');
  chmodSync(server, 0o755);
  const places = { servers: [server], path: "/nowhere", isRoot: false, servicePolicy: "" };
  await assert.rejects(findOrStartBroker({ ...OPTIONS, directory: join(folder, "data"), places }), {
    name: "StackError",
    message: /^RabbitMQ does not start: ended with 3; error: eacces in data directory \(log in .*rabbitmq\.log\)$/,
  });
});

test("the lock of a dead process is taken over, by one of many", async (t) => {
  const folder = makeFolder(t);
  const dead = spawn(process.execPath, ["-e", ""]);
  await once(dead, "exit");
  writeFileSync(join(folder, "lock"), String(dead.pid));
  let inside = 0;
  let most = 0;
  const work = async (): Promise<void> => {
    most = Math.max(most, ++inside);
    await new Promise((resolve) => setTimeout(resolve, 20));
    inside--;
  };
  await Promise.all([1, 2, 3].map(() => withLock(folder, work)));
  assert.equal(most, 1);
  assert.deepEqual(readdirSync(folder), []);
});

test("no RabbitMQ, no Docker, no right to install: the sentence says what to do", async (t) => {
  const places = { servers: [], path: "/nowhere", isRoot: false, servicePolicy: "" };
  await assert.rejects(findOrStartBroker({ ...OPTIONS, directory: makeFolder(t), places }), {
    name: "StackError",
    message:
      "there is no RabbitMQ on this machine: install it (Debian: sudo apt-get install -y --no-install-recommends rabbitmq-server; " +
      "macOS: brew install rabbitmq), start Docker, or set PIGEON_HOST to a broker that you have",
  });
});

test("an installation that fails is told with its last line and its log", async (t) => {
  const folder = makeFolder(t);
  writeFileSync(
    join(folder, "apt-get"),
    '#!/bin/sh\n[ -x "$(dirname "$0")/policy-rc.d" ] || exit 1\necho "E: Unable to locate package $4" >&2\nexit 100\n',
  );
  chmodSync(join(folder, "apt-get"), 0o755);
  const sentences: string[] = [];
  const servicePolicy = join(folder, "policy-rc.d");
  const places = { servers: [], path: folder, isRoot: true, servicePolicy };
  const say = (sentence: string): void => void sentences.push(sentence);
  await assert.rejects(findOrStartBroker({ ...OPTIONS, directory: folder, places, say }), (error: unknown) => {
    assert.ok(error instanceof Error);
    assert.match(
      error.message,
      /apt-get .* ended with 100: E: Unable to locate package .*\(log in .*installation\.log\); install it/,
    );
    return true;
  });
  assert.equal(existsSync(servicePolicy), false, "the ban on services is lifted");
  assert.match(sentences[0] ?? "", /RabbitMQ is not on this machine: installing it with apt-get/);
});

test("where there is only Docker, the image is run on loopback with the definitions", async (t) => {
  const folder = makeFolder(t);
  const calls = join(folder, "calls");
  const docker = `#!/bin/sh\necho "$@" >> ${calls}\ncase $1 in run) echo container-id;; port) echo 127.0.0.1:1;; esac\n`;
  writeFileSync(join(folder, "docker"), docker);
  chmodSync(join(folder, "docker"), 0o755);
  const places = { servers: [], path: folder, isRoot: false, servicePolicy: "" };
  const starting = findOrStartBroker({ ...OPTIONS, directory: join(folder, "data"), places, timeout: 300 });
  await assert.rejects(starting, /RabbitMQ in Docker is not ready after 300 ms/);
  const [info, run, port, remove] = readFileSync(calls, "utf8").split("\n");
  assert.equal(info, "info");
  assert.match(
    run ?? "",
    /^run --detach --rm --publish 127\.0\.0\.1::5672 --volume .*definitions\.json:.*:ro .* rabbitmq:4$/,
  );
  assert.equal(port, "port container-id 5672/tcp");
  assert.equal(remove, "rm --force container-id", "what did not become ready is not left");
});

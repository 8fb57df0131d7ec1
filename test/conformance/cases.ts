import type { TestContext } from "node:test";
import { serve } from "./lambda.ts";
import type { Recording } from "./recorded.ts";

/** One recorded answer and how to ask for ours. */
export interface Case {
  readonly recording: Recording;
  /** Only on this runtime. */
  readonly runtime?: string;
  /** What is asked; resolves with our answer in the recording's shape. */
  readonly ask: (t: TestContext, runtime: string) => Promise<unknown>;
  /** Where we differ, and why: these are in the README's caveats. */
  readonly caveats?: Readonly<Record<string, string>>;
}

const NO_LINK_LOCAL = "the Runtime API listens on loopback";

/** Without what Python's runtime alone says. */
function withoutTrace(answer: Record<string, unknown>): Record<string, unknown> {
  const { trace, ...Payload } = answer.Payload as Record<string, unknown>;
  return { ...answer, Payload };
}

/** The lines of one invocation, from START to REPORT. */
function linesOf(log: string): string[] {
  const [text = ""] = /^START [\s\S]*?^REPORT .*\n/m.exec(log) ?? [];
  return text.split(/(?<=\n)/);
}

/** A destination's record without the trace, which Node.js has and Python has not. */
function withoutResponseTrace(record: unknown): unknown {
  const { responsePayload, ...rest } = record as { responsePayload: Record<string, unknown> };
  const { trace, ...payload } = responsePayload;
  return { ...rest, responsePayload: payload };
}

async function introspect(t: TestContext, runtime: string): Promise<unknown> {
  const lambda = await serve(t, "introspects-node", runtime, ["--memory", "1024", "--env", "TEST_KEY=TEST_VAL"]);
  return (await lambda.invoke()).Payload;
}

const PATHS: Readonly<Record<string, string>> = {
  "_lambda-entrypoint.sh": "/lambda-entrypoint.sh",
  _opt: "/opt",
  _tmp: "/tmp",
  _var_task: "/var/task",
};

/** `drwxr-xr-x` for 40755. */
function describeMode(mode: string): string {
  const bits = Number.parseInt(mode, 8);
  const letters = [..."rwxrwxrwx"].map((letter, n) => (bits & (1 << (8 - n)) ? letter : "-")).join("");
  const kind = (bits & 0o170000) === 0o040000 ? "d" : "-";
  return `${kind}${bits & 0o1000 ? letters.replace(/x$/, "t") : letters}`;
}

const LIMITS: Readonly<Record<string, string>> = {
  RLIMIT_AS: "Max address space",
  RLIMIT_CORE: "Max core file size",
  RLIMIT_CPU: "Max cpu time",
  RLIMIT_DATA: "Max data size",
  RLIMIT_FSIZE: "Max file size",
  RLIMIT_MEMLOCK: "Max locked memory",
  RLIMIT_NOFILE: "Max open files",
  RLIMIT_NPROC: "Max processes",
  RLIMIT_RSS: "Max resident set",
  RLIMIT_STACK: "Max stack size",
};

interface Seen {
  readonly paths: Readonly<Record<string, { readonly uid: number; readonly gid: number; readonly mode: string }>>;
  readonly user: { readonly username: string };
  /** The text of /proc/self/limits. */
  readonly limits: string;
}

async function look(t: TestContext, runtime: string): Promise<Seen> {
  const lambda = await serve(t, "introspects", runtime, ["--isolation", "namespace"]);
  return (await lambda.invoke({ paths: Object.values(PATHS), writes: [] })).Payload as Seen;
}

export const CASES: readonly Case[] = [
  {
    recording: "too_large_response",
    ask: async (t, runtime) => (await serve(t, "big-response", runtime)).invoke({ length: 7 * 1024 * 1024 }),
  },
  {
    recording: "init_environment",
    ask: async (t, runtime) => {
      const { Payload } = await (await serve(t, "environment", runtime)).invoke();
      // Those that name the runtime, the handler and the address are compared with Node.js's own recordings.
      const { AWS_EXECUTION_ENV, NODE_PATH, _HANDLER, AWS_LAMBDA_RUNTIME_API, ...env } = (Payload as { env: object })
        .env as Record<string, string>;
      const { AWS_XRAY_DAEMON_ADDRESS, _AWS_XRAY_DAEMON_ADDRESS, ...rest } = env;
      return rest;
    },
  },
  {
    recording: "invoke_no_timeout",
    ask: async (t, runtime) => (await serve(t, "sleeps", runtime, ["--timeout", "2"])).invoke({ ms: 1000 }),
  },
  {
    recording: "invoke_with_timeout",
    ask: async (t, runtime) => (await serve(t, "sleeps", runtime, ["--timeout", "1"])).invoke({ ms: 9000 }),
  },
  {
    recording: "runtime_introspection_x86",
    ask: async (t, runtime) => {
      const seen = await look(t, runtime);
      const paths = Object.entries(PATHS).flatMap(([name, path]) => {
        const { uid, gid, mode = "" } = seen.paths[path] ?? {};
        const owner = uid === 0 ? "root" : String(uid);
        return Object.entries({ gid, mode: describeMode(mode), owner, uid }).map(([key, value]) => [
          `${name}_${key}`,
          value,
        ]);
      });
      return { paths: Object.fromEntries(paths), pwd: "/var/task", user_login_name: seen.user.username };
    },
  },
  {
    recording: "runtime_ulimits",
    ask: async (t, runtime) => {
      const { limits } = await look(t, runtime);
      const value = (text = ""): number => (text === "unlimited" ? -1 : Number(text));
      return Object.fromEntries(
        Object.entries(LIMITS).map(([name, words]) => {
          const [, soft, hard] = new RegExp(`^${words}\\s+(\\S+)\\s+(\\S+)`, "m").exec(limits) ?? [];
          return [name, [value(soft), value(hard)]];
        }),
      );
    },
  },
  {
    recording: "payload_encoding_error",
    ask: async (t, runtime) =>
      (await serve(t, "echo", runtime)).refuse(Buffer.from("n\x87r\x9e\xe9\xb5\xd7I\xee\x9bmt", "latin1")),
  },
  {
    recording: "runtime_error",
    ask: async (t, runtime) => withoutTrace(await (await serve(t, "fails-to-start", runtime)).invoke()),
    caveats: { "Payload.errorType": "Node.js names its errors Error where Python has Exception" },
  },
  { recording: "runtime_exit", ask: async (t, runtime) => (await serve(t, "exits", runtime)).invoke({ code: 0 }) },
  {
    recording: "runtime_exit_segfault",
    ask: async (t, runtime) =>
      (await serve(t, "kills-itself", runtime, ["--timeout", "2"])).invoke({ signal: "SIGSEGV" }),
    caveats: { "Payload.errorMessage": "asked with a timeout of 2 s, recorded with one of 30 s" },
  },
  {
    recording: "dry_run",
    ask: async (t, runtime) => (await serve(t, "echo", runtime)).invoke({}, { InvocationType: "DryRun" }),
  },
  {
    recording: "event",
    ask: async (t, runtime) => (await serve(t, "echo", runtime)).invoke({}, { InvocationType: "Event" }),
  },
  { recording: "no_return_payload", ask: async (t, runtime) => (await serve(t, "sleeps", runtime)).invoke({ ms: 1 }) },
  { recording: "request_response", ask: async (t, runtime) => (await serve(t, "echo", runtime)).invoke({}) },
  {
    recording: "with_logs",
    ask: async (t, runtime) => {
      const { LogResult } = await (await serve(t, "logs-event", runtime)).invoke({}, { LogType: "Tail" });
      return linesOf(Buffer.from(String(LogResult), "base64").toString());
    },
  },
  {
    recording: "invoke_exceptions",
    ask: async (t, runtime) => (await serve(t, "echo", runtime)).refuse("{}", "doesnotexist"),
  },
  ...([22, 24] as const).map(
    (major): Case => ({
      recording: `introspection_nodejs${major}`,
      runtime: `nodejs${major}.x`,
      ask: introspect,
      caveats: { "environment.AWS_LAMBDA_RUNTIME_API": NO_LINK_LOCAL },
    }),
  ),
  {
    recording: "uncaught_exception",
    ask: async (t, runtime) => {
      const answer = await (await serve(t, "throws", runtime)).invoke({ message: "Error: some_error_msg" });
      const Payload = answer.Payload as { trace: unknown };
      return { ...answer, Payload: { ...Payload, trace: JSON.stringify(Payload.trace) } };
    },
    caveats: { "Payload.errorType": "our function throws a TypeError, AWS's threw an Error" },
  },
  {
    recording: "destination_success",
    ask: async (t, runtime) => {
      const lambda = await serve(t, "reports-to-destination", runtime);
      await lambda.invoke({}, { InvocationType: "Event" });
      return lambda.record();
    },
  },
  {
    recording: "destination_failure",
    ask: async (t, runtime) => {
      const lambda = await serve(t, "reports-to-destination", runtime, ["--retry-delays", ""]);
      await lambda.invoke({ raise_error: 1 }, { InvocationType: "Event" });
      return withoutResponseTrace(await lambda.record());
    },
  },
  {
    recording: "destination_default_retries",
    ask: async (t, runtime) => {
      const lambda = await serve(t, "reports-to-destination", runtime, ["--retry-delays", "0.1,0.2"]);
      await lambda.invoke({ raise_error: 1 }, { InvocationType: "Event" });
      return withoutResponseTrace(await lambda.record());
    },
  },
  {
    recording: "multi_line_prints",
    ask: async (t, runtime) => {
      const lambda = await serve(t, "prints-lines", runtime);
      await lambda.invoke();
      return linesOf(lambda.log());
    },
  },
  {
    recording: "nodejs_es6",
    ask: async (t, runtime) => (await serve(t, "answers-in-es6", runtime)).invoke({ event_type: "test_lambda" }),
  },
];

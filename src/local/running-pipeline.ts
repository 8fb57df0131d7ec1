import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { StackError } from "../ops/errors.ts";
import { commandLine, isRunning, terminate } from "./broker/process.ts";
import { stateDirectory } from "./development.ts";

/** How long a pipeline may take to stop by itself: its longest invocation and the broker; ms. */
const STOP_PATIENCE = 60_000;

/** What is remembered of a running `pigeon up`. */
interface RunningPipeline {
  readonly pid: number;
  /** The process's command line, since pids are used again. */
  readonly mark: string;
}

const file = (): string => join(stateDirectory(), "up.json");

/** Only one pipeline may use the state directory: throws a StackError when another does. Released by the answer. */
export async function claimPipeline(): Promise<() => Promise<void>> {
  await mkdir(stateDirectory(), { recursive: true });
  const claim = JSON.stringify({ pid: process.pid, mark: commandLine(process.pid) });
  for (let tries = 0; tries < 2; tries++) {
    try {
      await writeFile(file(), claim, { flag: "wx" });
      return () => rm(file(), { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const other = await readRunning();
    if (other !== undefined)
      throw new StackError(`pigeon up is running already (process ${other.pid}): pigeon down stops it`);
    await rm(file(), { force: true }); // left by one that was killed
  }
  throw new StackError(`${file()} is taken by another pigeon up that starts at this moment: try again`);
}

/** Stops a running `pigeon up` and waits for its end. False when there is none. */
export async function stopRunningPipeline(): Promise<boolean> {
  const running = await readRunning();
  if (running === undefined) return false;
  await terminate(running.pid, running.mark, STOP_PATIENCE);
  await rm(file(), { force: true });
  return true;
}

async function readRunning(): Promise<RunningPipeline | undefined> {
  // A file that is being written is complete a moment later.
  for (let tries = 0; tries < 2; tries++) {
    const text = await readFile(file(), "utf8").catch(() => undefined);
    if (text === undefined) return undefined;
    try {
      const running = JSON.parse(text) as RunningPipeline;
      return isRunning(running.pid, running.mark) ? running : undefined;
    } catch {
      await delay(50);
    }
  }
  return undefined;
}

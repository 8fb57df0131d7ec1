import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { claim, readClaimant } from "../ops/process-claim.ts";
import { terminate } from "./broker/process.ts";
import { stateDirectory } from "./development.ts";

/** How long a pipeline may take to stop by itself: its longest invocation and the broker; ms. */
const STOP_PATIENCE = 60_000;

const file = (): string => join(stateDirectory(), "up.json");

/** Only one pipeline may use the state directory: throws a StackError when another does. Released by the answer. */
export async function claimPipeline(): Promise<() => Promise<void>> {
  await mkdir(stateDirectory(), { recursive: true });
  return claim(file(), (pid) => `pigeon up is running already (process ${pid}): pigeon down stops it`);
}

/** Stops a running `pigeon up` and waits for its end. False when there is none. */
export async function stopRunningPipeline(): Promise<boolean> {
  const running = await readClaimant(file());
  if (running === undefined) return false;
  await terminate(running.pid, running.mark, STOP_PATIENCE);
  await rm(file(), { force: true });
  return true;
}

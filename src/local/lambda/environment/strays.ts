import { readdirSync, readFileSync } from "node:fs";

/**
 * Ends what has left the process group of its environment (a daemon that a function started): whoever carries the address of
 * the environment's Runtime API in its variables.
 */
export function killStrays(runtimeApi: string): void {
  if (process.platform !== "linux") return;
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry) || Number(entry) === process.pid) continue;
    try {
      const environment = readFileSync(`/proc/${entry}/environ`, "latin1");
      if (environment.split("\0").includes(`AWS_LAMBDA_RUNTIME_API=${runtimeApi}`))
        process.kill(Number(entry), "SIGKILL");
    } catch {
      // another user's, or gone
    }
  }
}

import type { Command } from "commander";
import { readCollectorConfiguration } from "../collector/configuration.ts";
import { ROOT } from "../local/development.ts";
import { makeLog } from "../ops/log.ts";
import { stopSignal } from "../ops/stop-signal.ts";
import { readVersion } from "../ops/version.ts";
import { makeCommand } from "./program.ts";

/** `pigeon collector`: takes crash reports over HTTP until it is stopped. Its configuration is the environment. */
export function makeCollectorCommand(): Command {
  return makeCommand("collector", "take crash reports over HTTP and save them in S3 (variables COLLECTOR_*)").action(
    async () => {
      const configuration = readCollectorConfiguration(process.env);
      // The server takes a while to load: nobody waits for it who runs another command.
      const { startCollector } = await import("../collector/collector.ts");
      const log = makeLog("collector");
      const collector = await startCollector({ configuration, log, version: await readVersion(ROOT) });
      process.stdout.write(`listening on ${collector.url}\n`);
      log("info", `stopping after ${await stopSignal()}`);
      await collector.stop();
    },
  );
}

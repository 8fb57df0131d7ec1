import { type FSWatcher, statSync, watch } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import type { LocalLambda } from "../local-lambda.ts";

/** Milliseconds without a further change before it is acted upon. */
const SETTLE_TIME = 100;

/**
 * Takes a function's zip or folder again whenever it changes: idle environments go, those under way finish with the code
 * they have. Code that cannot be taken leaves the old one in place; `say` is told of both. Stops by the function it returns.
 */
export function watchCode(lambda: LocalLambda, say: (sentence: string) => void): () => Promise<void> {
  const path = resolve(lambda.fn.code);
  return onSettledChange(
    (onChange) => watchPath(path, onChange),
    async () => {
      try {
        await lambda.updateCode(path);
        say(`${lambda.fn.name}: new code from ${lambda.fn.code}`);
      } catch (error) {
        say(`${lambda.fn.name}: the old code stays: ${error instanceof Error ? error.message : error}`);
      }
    },
  );
}

/** Does `work` after changes, one after the other; the function it returns stops that and waits for work under way. */
export function onSettledChange(
  start: (onChange: () => void) => FSWatcher,
  work: () => Promise<void>,
): () => Promise<void> {
  let working = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  const watcher = start(() => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      working = working.then(work);
    }, SETTLE_TIME);
  });
  return () => {
    clearTimeout(timer);
    watcher.close();
    return working;
  };
}

/** A zip is usually replaced by another file of its name: that is seen in its folder only. */
function watchPath(path: string, onChange: () => void): FSWatcher {
  if (statSync(path).isDirectory()) return watch(path, { recursive: true }, onChange);
  return watch(dirname(path), (_event, file) => {
    if (file === basename(path)) onChange();
  });
}

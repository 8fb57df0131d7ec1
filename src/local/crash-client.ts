import { StackError } from "../ops/errors.ts";

/** A crash report to be posted, as a client of Breakpad would. */
export interface PostedReport {
  readonly annotations: Readonly<Record<string, string>>;
  /** By dump name. */
  readonly dumps: ReadonlyMap<string, Blob>;
}

export interface PostOptions {
  /** A bearer token, for a report that chooses its crash id. */
  readonly token?: string;
  /** Default 60; s. */
  readonly timeout?: number;
}

/** The collector's word on a report. */
export interface Posted {
  readonly status: number;
  /** `CrashID=bp-...`, or `Discarded=` and why. */
  readonly text: string;
}

/** Posts a report to a collector's `/submit`. Rejects with a StackError when there is no answer. */
export async function postReport(
  url: string,
  { annotations, dumps }: PostedReport,
  { token, timeout = 60 }: PostOptions = {},
): Promise<Posted> {
  const form = new FormData();
  for (const [name, value] of Object.entries(annotations)) form.append(name, value);
  for (const [name, dump] of dumps) form.append(name, dump, `${name}.dmp`);
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  try {
    const signal = AbortSignal.timeout(timeout * 1000);
    const response = await fetch(url, { method: "POST", body: form, headers, signal });
    return { status: response.status, text: (await response.text()).trim() };
  } catch (cause) {
    const { cause: inner } = cause as { readonly cause?: unknown };
    const reason = inner instanceof Error ? inner.message : cause instanceof Error ? cause.message : String(cause);
    throw new StackError(`the collector at ${url} does not answer: ${reason}`, { cause });
  }
}

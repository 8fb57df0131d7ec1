import { randomBytes } from "node:crypto";

/** A crash id as a collector makes it; `digit`: 0 for accept, 1 for defer. */
export function makeCrashId(digit: 0 | 1 = 0): string {
  const hex = randomBytes(15).toString("hex");
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20)];
  return `${parts.join("-")}-${hex.slice(20, 25)}${digit}180313`;
}

/** S3's event for the raw crashes with these ids, with the members that matter. */
export function makeCrashEvent(...ids: readonly string[]): object {
  return {
    Records: ids.map((id) => ({
      eventVersion: "2.1",
      eventSource: "aws:s3",
      awsRegion: "us-east-1",
      eventName: "ObjectCreated:Put",
      s3: { bucket: { name: "crashes" }, object: { key: `v2/raw_crash/${id.slice(0, 3)}/20180313/${id}` } },
    })),
  };
}

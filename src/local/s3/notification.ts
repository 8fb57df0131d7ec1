import { randomUUID } from "node:crypto";
import { XMLBuilder, XMLParser } from "fast-xml-parser";
import { S3ApiError } from "./s3-api-error.ts";

/**
 * A bucket's notification configuration, as PutBucketNotificationConfiguration takes it.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html
 */
export interface Notification {
  readonly id: string;
  readonly functionArn: string;
  /** With `s3:`, wildcards included, e.g. `s3:ObjectCreated:*`. */
  readonly events: readonly string[];
  /** Both are tested against the key as stored. */
  readonly prefix: string;
  readonly suffix: string;
}

const EVENTS = ["Put", "Post", "Copy", "CompleteMultipartUpload"].map((name) => `s3:ObjectCreated:${name}`);
const DELETE = "s3:ObjectRemoved:Delete";
const SUPPORTED = new Set([...EVENTS, "s3:ObjectCreated:*", DELETE, "s3:ObjectRemoved:*"]);

const parser = new XMLParser({
  ignoreAttributes: true,
  parseTagValue: false,
  trimValues: true,
  isArray: (name) => name !== "NotificationConfiguration" && /Configuration$|^Event$|^FilterRule$/.test(name),
});
const builder = new XMLBuilder({ format: false });

interface FilterRule {
  readonly Name?: string;
  readonly Value?: string;
}

interface FunctionElement {
  readonly Id?: string;
  readonly CloudFunction?: string;
  readonly LambdaFunctionArn?: string;
  readonly Event?: readonly string[];
  readonly Filter?: { readonly S3Key?: { readonly FilterRule?: readonly FilterRule[] } };
}

/** From the request's XML; throws an S3ApiError with AWS's code for what AWS would refuse, and for what is not supported here. */
export function parseNotifications(xml: string): readonly Notification[] {
  const root = parseXml(xml).NotificationConfiguration;
  const elements = typeof root === "object" && root !== null ? (root as Record<string, unknown>) : {};
  for (const name of ["QueueConfiguration", "TopicConfiguration", "EventBridgeConfiguration"]) {
    if (name in elements)
      throw new S3ApiError(501, "NotImplemented", `${name} is not supported here: only Lambda functions are notified`);
  }
  const functions = [elements.CloudFunctionConfiguration ?? elements.LambdaFunctionConfiguration ?? []].flat();
  const notifications = functions.map((element) => parseFunctionElement(element as FunctionElement));
  rejectOverlaps(notifications);
  return notifications;
}

function parseXml(xml: string): Record<string, unknown> {
  try {
    return parser.parse(xml, true) as Record<string, unknown>;
  } catch {
    const message = "The XML you provided was not well-formed or did not validate against our published schema";
    throw new S3ApiError(400, "MalformedXML", message);
  }
}

function parseFunctionElement(element: FunctionElement): Notification {
  const functionArn = element.CloudFunction ?? element.LambdaFunctionArn ?? "";
  if (!/^arn:[^:]+:lambda:[^:]*:\d*:function:.+/.test(functionArn)) throw invalid("The ARN is not well formed");
  const events = element.Event ?? [];
  for (const event of events) {
    if (!/^s3:[A-Za-z]+:([A-Za-z]+|\*)$/.test(event))
      throw invalid(`The event '${event}' is not supported for notifications`);
    if (!SUPPORTED.has(event))
      throw new S3ApiError(501, "NotImplemented", `The event '${event}' is not supported here`);
  }
  if (events.length === 0) throw invalid("A notification needs at least one event");
  const rules = element.Filter?.S3Key?.FilterRule ?? [];
  return {
    id: element.Id || randomUUID(),
    functionArn,
    events,
    prefix: filterValue(rules, "prefix"),
    suffix: filterValue(rules, "suffix"),
  };
}

function filterValue(rules: readonly FilterRule[], name: "prefix" | "suffix"): string {
  for (const rule of rules) {
    if (!/^(prefix|suffix)$/i.test(rule.Name ?? "")) throw invalid("filter rule name must be either prefix or suffix");
  }
  const matching = rules.filter((rule) => rule.Name?.toLowerCase() === name);
  if (matching.length > 1) throw invalid(`Cannot specify more than one ${name} rule in a filter.`);
  return matching[0]?.Value ?? "";
}

/** AWS refuses two configurations that one object could trigger both. */
function rejectOverlaps(notifications: readonly Notification[]): void {
  for (const [index, one] of notifications.entries()) {
    for (const other of notifications.slice(index + 1)) {
      const sameEvent = one.events.some((a) => other.events.some((b) => covers(a, b) || covers(b, a)));
      const samePrefix = one.prefix.startsWith(other.prefix) || other.prefix.startsWith(one.prefix);
      const sameSuffix = one.suffix.endsWith(other.suffix) || other.suffix.endsWith(one.suffix);
      if (sameEvent && samePrefix && sameSuffix)
        throw invalid("Configurations overlap. Configurations on the same bucket cannot share a common event type.");
    }
  }
}

/** `pattern` may end in `*`. */
function covers(pattern: string, event: string): boolean {
  return pattern === event || (pattern.endsWith("*") && event.startsWith(pattern.slice(0, -1)));
}

/** The notifications that an object's event triggers. `eventName` without `s3:`. */
export function matchNotifications(
  notifications: readonly Notification[],
  eventName: string,
  key: string,
): readonly Notification[] {
  return notifications.filter(
    ({ events, prefix, suffix }) =>
      events.some((pattern) => covers(pattern, `s3:${eventName}`)) && key.startsWith(prefix) && key.endsWith(suffix),
  );
}

/** The answer to GetBucketNotificationConfiguration. */
export function formatNotifications(notifications: readonly Notification[]): string {
  const rule = (name: string, value: string): FilterRule[] => (value === "" ? [] : [{ Name: name, Value: value }]);
  return builder.build({
    NotificationConfiguration: {
      CloudFunctionConfiguration: notifications.map(({ id, functionArn, events, prefix, suffix }) => ({
        Id: id,
        CloudFunction: functionArn,
        Event: events,
        ...(prefix === "" && suffix === ""
          ? {}
          : { Filter: { S3Key: { FilterRule: [...rule("Prefix", prefix), ...rule("Suffix", suffix)] } } }),
      })),
    },
  });
}

function invalid(message: string): S3ApiError {
  return new S3ApiError(400, "InvalidArgument", message);
}

import { isMapping, type Mapping } from "./document.ts";
import { mapping } from "./property.ts";
import { type Resolver, TemplateProblem } from "./resolver.ts";

/** A function as it stands in its template. */
export interface FunctionSource {
  readonly logicalId: string;
  readonly type: string;
  readonly properties: Mapping;
  readonly resolver: Resolver;
  /** The template's folder. */
  readonly base: string;
}

/** A bucket that tells the function of objects. */
export interface S3Trigger {
  readonly bucket: string;
  /** `s3:ObjectCreated:*` and the like. */
  readonly events: readonly string[];
  readonly prefix?: string | undefined;
  readonly suffix?: string | undefined;
}

/** The events of type S3; others are noted. */
export function readS3Triggers({ logicalId, properties, resolver }: FunctionSource, notes: string[]): S3Trigger[] {
  const events = mapping(properties.Events, `${logicalId}.Events`);
  return Object.entries(events).flatMap(([name, event]) => {
    const place = `${logicalId}.Events.${name}`;
    const { Type, Properties } = mapping(event, place);
    if (Type !== "S3") {
      notes.push(`${place}: events of type ${Type} are not delivered here`);
      return [];
    }
    const given = mapping(Properties, place, ["Bucket", "Events", "Filter"]);
    const bucket = isMapping(given.Bucket) ? given.Bucket.Ref : undefined;
    if (typeof bucket !== "string")
      throw new TemplateProblem(`${place}.Bucket: expected a reference to a bucket of this template`);
    const named = resolver.resolve(given.Events ?? null, `${place}.Events`);
    const filter = mapping(resolver.resolve(given.Filter ?? {}, `${place}.Filter`), `${place}.Filter`);
    const rules = mapping(filter.S3Key, `${place}.Filter.S3Key`).Rules ?? [];
    const rule = (wanted: string): string | undefined => {
      const found = (rules as Mapping[]).find((each) => String(each.Name).toLowerCase() === wanted);
      return found === undefined ? undefined : String(found.Value);
    };
    const list = Array.isArray(named) ? named.map(String) : [String(named)];
    return [{ bucket: resolver.nameOf(bucket, place), events: list, prefix: rule("prefix"), suffix: rule("suffix") }];
  });
}

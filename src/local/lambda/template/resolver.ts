import { ACCOUNT_ID } from "../function.ts";
import { isMapping, type Mapping, type Value } from "./document.ts";

/** Something in a template that is wrong or not supported, and where. */
export class TemplateProblem extends Error {
  override readonly name = "TemplateProblem";
  readonly code = "ERR_TEMPLATE";
}

/** What `AWS::NoValue` leaves behind: the property is not there. */
const NO_VALUE = Symbol("AWS::NoValue");
type Resolved = Value | typeof NO_VALUE;

export interface ResolverOptions {
  readonly template: Mapping;
  readonly region: string;
  /** Values for the template's Parameters, over their defaults. */
  readonly parameters: Readonly<Record<string, string>>;
}

/** Names that AWS would give, of resources that functions refer to: the property that holds one, and the ARN. */
const NAMED: Readonly<
  Record<string, { readonly property: string; readonly arn: (name: string, region: string) => string }>
> = {
  "AWS::Serverless::Function": {
    property: "FunctionName",
    arn: (name, region) => `arn:aws:lambda:${region}:${ACCOUNT_ID}:function:${name}`,
  },
  "AWS::Lambda::Function": {
    property: "FunctionName",
    arn: (name, region) => `arn:aws:lambda:${region}:${ACCOUNT_ID}:function:${name}`,
  },
  "AWS::S3::Bucket": { property: "BucketName", arn: (name) => `arn:aws:s3:::${name}` },
  "AWS::SQS::Queue": { property: "QueueName", arn: (name, region) => `arn:aws:sqs:${region}:${ACCOUNT_ID}:${name}` },
  "AWS::SNS::Topic": { property: "TopicName", arn: (name, region) => `arn:aws:sns:${region}:${ACCOUNT_ID}:${name}` },
};

/** The functions that only need the values of their arguments. */
const COMPUTED = ["Fn::Base64", "Fn::Join", "Fn::Split", "Fn::Select", "Fn::Equals", "Fn::Not", "Fn::And", "Fn::Or"];

/** Evaluates the intrinsic functions of a template. https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html */
export class Resolver {
  readonly #options: ResolverOptions;
  readonly #underWay = new Set<string>();

  constructor(options: ResolverOptions) {
    this.#options = options;
  }

  /** The value without intrinsic functions; undefined for `AWS::NoValue`. Throws a TemplateProblem that names `place`. */
  resolve(value: Value, place: string): Value | undefined {
    const resolved = this.#evaluate(value, place);
    return resolved === NO_VALUE ? undefined : resolved;
  }

  /** A section such as Resources; empty when it is missing. */
  section(name: string): Mapping {
    const section = this.#options.template[name] ?? {};
    if (!isMapping(section)) throw new TemplateProblem(`${name}: expected a mapping, got ${JSON.stringify(section)}`);
    return section;
  }

  /** Whether a named condition of the template holds. */
  holds(condition: string, place: string): boolean {
    const value = this.section("Conditions")[condition];
    if (value === undefined) throw new TemplateProblem(`${place}: there is no condition ${condition}`);
    return this.#once(`condition ${condition}`, place, () => this.#evaluate(value, `Conditions.${condition}`) === true);
  }

  /** The name that a resource has on AWS, or here, where it has none of its own. */
  nameOf(logicalId: string, place: string): string {
    const { type, properties } = this.#resource(logicalId, place);
    const property = NAMED[type]?.property;
    const given = property === undefined ? undefined : properties[property];
    if (given === undefined) return type === "AWS::S3::Bucket" ? logicalId.toLowerCase() : logicalId;
    return this.#once(`name of ${logicalId}`, place, () =>
      String(this.resolve(given, `${logicalId}.${property}`) ?? logicalId),
    );
  }

  #evaluate(value: Value, place: string): Resolved {
    if (Array.isArray(value)) {
      return value
        .map((item: Value, n) => this.#evaluate(item, `${place}[${n}]`))
        .filter((item): item is Value => item !== NO_VALUE);
    }
    if (!isMapping(value)) return value;
    const [name = "", ...others] = Object.keys(value);
    if (others.length === 0 && /^(Ref|Condition|Fn::\w+)$/.test(name))
      return this.#apply(name, value[name] as Value, place);
    const entries = Object.entries(value).map(([key, item]) => [key, this.#evaluate(item, `${place}.${key}`)] as const);
    return Object.fromEntries(entries.filter((entry): entry is [string, Value] => entry[1] !== NO_VALUE));
  }

  #apply(name: string, argument: Value, place: string): Resolved {
    switch (name) {
      case "Ref":
        return this.#ref(String(argument), place);
      case "Condition":
        return this.holds(String(argument), place);
      case "Fn::GetAtt":
        return this.#getAtt(this.#strings(argument, place), place);
      case "Fn::Sub":
        return this.#sub(argument, place);
      case "Fn::If": {
        const [condition, then = null, otherwise = null] = this.#list(argument, place);
        return this.#evaluate(this.holds(String(condition), place) ? then : otherwise, place);
      }
      case "Fn::FindInMap":
        return this.#findInMap(this.#strings(argument, place), place);
      default:
        return this.#compute(name, this.#evaluate(argument, place), place);
    }
  }

  #compute(name: string, argument: Resolved, place: string): Value {
    if (!COMPUTED.includes(name)) throw new TemplateProblem(`${place}: ${name} is not supported here`);
    if (name === "Fn::Base64") return Buffer.from(String(argument)).toString("base64");
    const items = this.#list(argument === NO_VALUE ? null : argument, place);
    switch (name) {
      case "Fn::Join":
        return this.#list(items[1] ?? null, place)
          .map(String)
          .join(String(items[0]));
      case "Fn::Split":
        return String(items[1]).split(String(items[0]));
      case "Fn::Select": {
        const chosen = this.#list(items[1] ?? null, place)[Number(items[0])];
        if (chosen === undefined) throw new TemplateProblem(`${place}: Fn::Select: there is no item ${items[0]}`);
        return chosen;
      }
      case "Fn::Equals":
        return String(items[0]) === String(items[1]);
      case "Fn::Not":
        return items[0] !== true;
      case "Fn::And":
        return items.every((item) => item === true);
      default: // Fn::Or
        return items.some((item) => item === true);
    }
  }

  #ref(name: string, place: string): Resolved {
    const { region } = this.#options;
    const pseudo: Record<string, Resolved> = {
      "AWS::Region": region,
      "AWS::AccountId": ACCOUNT_ID,
      "AWS::Partition": "aws",
      "AWS::StackName": "local",
      "AWS::StackId": `arn:aws:cloudformation:${region}:${ACCOUNT_ID}:stack/local`,
      "AWS::URLSuffix": "amazonaws.com",
      "AWS::NoValue": NO_VALUE,
    };
    if (name in pseudo) return pseudo[name] as Resolved;
    const parameter = this.section("Parameters")[name];
    if (parameter !== undefined) return this.#parameter(name, parameter, place);
    const { type } = this.#resource(name, place);
    const physical = this.nameOf(name, place);
    return type === "AWS::SQS::Queue" ? `https://sqs.${region}.amazonaws.com/${ACCOUNT_ID}/${physical}` : physical;
  }

  #parameter(name: string, parameter: Value, place: string): Value {
    const { Type, Default, AllowedValues, AllowedPattern } = isMapping(parameter) ? parameter : {};
    const value = this.#options.parameters[name] ?? Default;
    if (value === undefined)
      throw new TemplateProblem(`${place}: parameter ${name} has no default and was given no value`);
    if (Array.isArray(AllowedValues) && !AllowedValues.map(String).includes(String(value)))
      throw new TemplateProblem(
        `parameter ${name}: expected one of ${AllowedValues.join(", ")}, got ${JSON.stringify(value)}`,
      );
    if (typeof AllowedPattern === "string" && !new RegExp(`^(?:${AllowedPattern})$`).test(String(value)))
      throw new TemplateProblem(`parameter ${name}: expected ${AllowedPattern}, got ${JSON.stringify(value)}`);
    if (/^(CommaDelimitedList|List<.*>)$/.test(String(Type)))
      return String(value)
        .split(",")
        .map((item) => item.trim())
        .filter(Boolean);
    return value;
  }

  #getAtt([logicalId = "", attribute = ""]: readonly string[], place: string): Value {
    const { type } = this.#resource(logicalId, place);
    const name = this.nameOf(logicalId, place);
    const named = NAMED[type];
    if (attribute === "Arn" && named !== undefined) return named.arn(name, this.#options.region);
    if (attribute === named?.property) return name;
    throw new TemplateProblem(`${place}: attribute ${attribute} of ${type} ${logicalId} is not known here`);
  }

  #sub(argument: Value, place: string): Value {
    const [text, variables] = Array.isArray(argument) ? argument : [argument, {}];
    return String(text).replace(/\$\{(!?)([^}]+)\}/g, (_all, literal: string, name: string) => {
      if (literal) return `\${${name}}`;
      const own = isMapping(variables) ? variables[name] : undefined;
      if (own !== undefined) return String(this.resolve(own, place) ?? "");
      const dot = name.indexOf(".");
      return String(dot < 0 ? this.#ref(name, place) : this.#getAtt([name.slice(0, dot), name.slice(dot + 1)], place));
    });
  }

  #findInMap([map = "", first = "", second = ""]: readonly string[], place: string): Value {
    const level = this.section("Mappings")[map];
    const found = isMapping(level) && isMapping(level[first]) ? level[first][second] : undefined;
    if (found === undefined) throw new TemplateProblem(`${place}: there is no mapping ${map}.${first}.${second}`);
    return found;
  }

  #resource(logicalId: string, place: string): { readonly type: string; readonly properties: Mapping } {
    const resource = this.section("Resources")[logicalId];
    if (!isMapping(resource)) throw new TemplateProblem(`${place}: there is no parameter or resource ${logicalId}`);
    return { type: String(resource.Type), properties: isMapping(resource.Properties) ? resource.Properties : {} };
  }

  #list(value: Value, place: string): readonly Value[] {
    if (!Array.isArray(value)) throw new TemplateProblem(`${place}: expected a list, got ${JSON.stringify(value)}`);
    return value;
  }

  #strings(value: Value, place: string): string[] {
    const resolved = typeof value === "string" ? value.split(".") : this.#evaluate(value, place);
    return this.#list(resolved === NO_VALUE ? null : resolved, place).map(String);
  }

  /** Guards against a circle of references. */
  #once<T>(what: string, place: string, work: () => T): T {
    if (this.#underWay.has(what)) throw new TemplateProblem(`${place}: ${what} refers to itself`);
    this.#underWay.add(what);
    try {
      return work();
    } finally {
      this.#underWay.delete(what);
    }
  }
}

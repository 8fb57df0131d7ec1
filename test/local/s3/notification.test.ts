import assert from "node:assert/strict";
import test from "node:test";
import { formatNotifications, matchNotifications, parseNotifications } from "../../../src/local/s3/notification.ts";

const ARN = "arn:aws:lambda:us-east-1:123456789012:function:pigeon";

interface Given {
  readonly events?: readonly string[];
  readonly rules?: readonly (readonly [string, string])[];
  readonly id?: string;
  readonly arn?: string;
}

function xml(...given: readonly Given[]): string {
  const configurations = given.map(({ events = ["s3:ObjectCreated:*"], rules = [], id, arn = ARN }) => {
    const filter = rules
      .map(([name, value]) => `<FilterRule><Name>${name}</Name><Value>${value}</Value></FilterRule>`)
      .join("");
    return `<CloudFunctionConfiguration>${id === undefined ? "" : `<Id>${id}</Id>`}<CloudFunction>${arn}</CloudFunction>${events
      .map((event) => `<Event>${event}</Event>`)
      .join("")}${filter === "" ? "" : `<Filter><S3Key>${filter}</S3Key></Filter>`}</CloudFunctionConfiguration>`;
  });
  return `<?xml version="1.0"?><NotificationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${configurations.join("")}</NotificationConfiguration>`;
}

test("what is put is what is got, filter names normalised", () => {
  const parsed = parseNotifications(
    xml({
      id: "one",
      rules: [
        ["PREFIX", "v2/"],
        ["suffix", ".json"],
      ],
    }),
  );
  assert.deepEqual(parsed, [
    { id: "one", functionArn: ARN, events: ["s3:ObjectCreated:*"], prefix: "v2/", suffix: ".json" },
  ]);
  assert.deepEqual(parseNotifications(formatNotifications(parsed)), parsed);
  assert.match(formatNotifications(parsed), /<Name>Prefix<\/Name>/);
  assert.deepEqual(parseNotifications(xml()), []);
  assert.deepEqual(parseNotifications("<NotificationConfiguration/>"), []);
});

test("an id is made when there is none", () => {
  assert.match(parseNotifications(xml({}))[0]?.id ?? "", /^[0-9a-f-]{36}$/);
});

test("what AWS refuses is refused with its code", () => {
  const cases: [string, string][] = [
    [xml({ events: ["s3:Nonsense"] }), "InvalidArgument"],
    [xml({ events: [] }), "InvalidArgument"],
    [xml({ arn: "nonsense" }), "InvalidArgument"],
    [xml({ rules: [["infix", "x"]] }), "InvalidArgument"],
    [
      xml({
        rules: [
          ["prefix", "a"],
          ["Prefix", "b"],
        ],
      }),
      "InvalidArgument",
    ],
    [xml({ rules: [["prefix", "a"]] }, { rules: [["prefix", "ab"]] }), "InvalidArgument"],
    ["<NotificationConfiguration>", "MalformedXML"],
    [xml({ events: ["s3:ObjectTagging:Put"] }), "NotImplemented"],
    [
      "<NotificationConfiguration><QueueConfiguration><Queue>x</Queue></QueueConfiguration></NotificationConfiguration>",
      "NotImplemented",
    ],
  ];
  for (const [text, code] of cases) assert.throws(() => parseNotifications(text), { name: "S3ApiError", code }, text);
});

test("configurations that cannot meet do not overlap", () => {
  const apart = [
    [{ rules: [["prefix", "a/"]] }, { rules: [["prefix", "b/"]] }],
    [{ rules: [["suffix", ".x"]] }, { rules: [["suffix", ".y"]] }],
    [{ events: ["s3:ObjectCreated:Put"] }, { events: ["s3:ObjectCreated:Copy"] }],
  ] as unknown as [Given, Given][];
  for (const [one, other] of apart) assert.equal(parseNotifications(xml(one, other)).length, 2);
});

test("prefix and suffix are tested against the raw key, wildcards cover all ways to create", () => {
  const notifications = parseNotifications(
    xml({
      rules: [
        ["prefix", "v2/a b/"],
        ["suffix", ".ü"],
      ],
    }),
  );
  const matches = (eventName: string, key: string): boolean =>
    matchNotifications(notifications, eventName, key).length > 0;
  for (const way of ["Put", "Post", "Copy", "CompleteMultipartUpload"])
    assert.ok(matches(`ObjectCreated:${way}`, "v2/a b/x.ü"));
  assert.ok(!matches("ObjectRemoved:Delete", "v2/a b/x.ü"));
  assert.ok(!matches("ObjectCreated:Put", "v2/a+b/x.ü"));
  assert.ok(!matches("ObjectCreated:Put", "v1/a b/x.ü"));
  assert.ok(!matches("ObjectCreated:Put", "v2/a b/x"));
});

import assert from "node:assert/strict";
import test from "node:test";
import { ConfigurationError } from "../../src/ops/errors.ts";
import { formatOptionsTable, parseText, parseWholeNumber, readOptions } from "../../src/ops/options.ts";

const OPTIONS = {
  name: { name: "T_NAME", sentence: "Who.", parse: parseText },
  port: { name: "T_PORT", sentence: "Where.", parse: parseWholeNumber(1, 65_535), default: "5672" },
  secret: { name: "T_SECRET", sentence: "Hush.", parse: parseWholeNumber(0, 9), secret: true },
} as const;

test("values are typed, defaulted and frozen", () => {
  const values = readOptions(OPTIONS, { T_NAME: "a", T_SECRET: "7", T_PORT: "" });
  assert.deepEqual(values, { name: "a", port: 5672, secret: 7 });
  assert.ok(Object.isFrozen(values));
});

test("one error holds every problem: what, what was expected, what came; never a secret", () => {
  assert.throws(
    () => readOptions(OPTIONS, { T_PORT: "0x10", T_SECRET: "hunter2" }),
    (error: unknown) => {
      assert.ok(error instanceof ConfigurationError);
      assert.deepEqual(error.problems, [
        "T_NAME: expected text, got nothing",
        'T_PORT: expected a whole number from 1 to 65535, got "0x10"',
        "T_SECRET: expected a whole number from 0 to 9, got 7 characters that are not shown",
      ]);
      assert.ok(!error.message.includes("hunter2"));
      return true;
    },
  );
});

test("a whole number is plain decimal digits", () => {
  const parse = parseWholeNumber(0, 100);
  for (const text of ["0", "7", "100"]) assert.deepEqual(parse(text), { value: Number(text) });
  const others = [
    "",
    " ",
    "1 ",
    " 1",
    "+1",
    "-1",
    "01",
    "1.0",
    "1e1",
    "0x10",
    "0b1",
    "15abc",
    "101",
    "1_0",
    "\u0661",
    "NaN",
    "Infinity",
  ];
  for (const text of others) assert.ok("expected" in parse(text), JSON.stringify(text));
});

test("the table has a line for each option", () => {
  assert.deepEqual(formatOptionsTable(OPTIONS).split("\n"), [
    "| variable | default | |",
    "|---|---|---|",
    "| `T_NAME` | required | Who. |",
    "| `T_PORT` | `5672` | Where. |",
    "| `T_SECRET` | required | Hush. |",
  ]);
});

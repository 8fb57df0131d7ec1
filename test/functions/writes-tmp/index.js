const { existsSync, writeFileSync } = require("node:fs");
exports.handler = async ({ name, next, ms }) => {
  const found = existsSync(`/tmp/${name}`);
  writeFileSync(`/tmp/${name}`, "x");
  if (next === "exit") process.exit(1);
  if (next === "wait") await new Promise((resolve) => setTimeout(resolve, ms));
  return found;
};

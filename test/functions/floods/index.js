const { writeSync } = require("node:fs");
exports.handler = async ({ megabytes }) => {
  const chunk = Buffer.alloc(1024 * 1024, "x");
  for (let n = 0; n < megabytes; ) {
    try { writeSync(1, chunk); n++; } catch (error) { if (error.code !== "EAGAIN") throw error; }
  }
  return megabytes;
};

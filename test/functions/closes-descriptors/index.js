const { closeSync } = require("node:fs");
exports.handler = async () => {
  for (const descriptor of [1, 2, 3]) closeSync(descriptor);
  return "closed";
};

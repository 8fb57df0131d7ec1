const kept = [];
exports.handler = async ({ megabytes }) => {
  for (let n = 0; n < megabytes; n += 8) {
    kept.push(Buffer.alloc(8 * 1024 * 1024, 1));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return kept.length;
};

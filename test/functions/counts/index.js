let count = 0;
exports.handler = async ({ ms = 0 }) => {
  await new Promise((resolve) => setTimeout(resolve, ms));
  return { count: ++count, pid: process.pid };
};

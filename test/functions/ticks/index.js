let ticks = 0;
setInterval(() => ticks++, 5);
exports.handler = async ({ ms }) => {
  await new Promise((resolve) => setTimeout(resolve, ms));
  return { ticks, pid: process.pid };
};

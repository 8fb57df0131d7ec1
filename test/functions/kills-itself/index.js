exports.handler = async ({ signal }) => process.kill(process.pid, signal);

process.on("SIGTERM", () => console.log("no"));
exports.handler = async () => process.pid;

process.on("SIGTERM", () => {
  console.log("told to end");
  process.exit(0);
});
exports.handler = async () => console.log("handled");

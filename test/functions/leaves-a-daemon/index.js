const { spawn } = require("node:child_process");
exports.handler = async () => {
  const daemon = spawn("/bin/sleep", ["600"], { detached: true, stdio: "ignore" });
  daemon.unref();
  return { pid: daemon.pid };
};

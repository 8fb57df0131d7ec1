const { once } = require("node:events");
const net = require("node:net");
let socket, closed = false, beats = 0;
exports.handler = async ({ port, ms }) => {
  if (socket === undefined) {
    socket = net.connect(port, "127.0.0.1").on("close", () => { closed = true; }).on("error", () => {});
    await once(socket, "connect");
    setInterval(() => { beats++; if (!closed) socket.write("beat\n"); }, 100);
  }
  await new Promise((resolve) => setTimeout(resolve, ms));
  return { closed, beats };
};

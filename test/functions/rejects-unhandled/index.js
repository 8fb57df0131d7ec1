exports.handler = async () => {
  setInterval(() => {}, 1000);
  Promise.reject(new Error("nobody handles this"));
  await new Promise(() => {});
};

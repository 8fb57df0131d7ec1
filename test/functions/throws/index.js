exports.handler = async (event) => {
  throw new TypeError(event.message ?? "broken on purpose");
};

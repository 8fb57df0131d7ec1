exports.handler = awslambda.streamifyResponse(async ({ chunks, ms, bytes = 1, fail }, stream) => {
  for (let n = 0; n < chunks; n++) {
    stream.write(String(n).repeat(bytes));
    await new Promise((resolve) => setTimeout(resolve, ms));
  }
  if (fail) throw new Error("half-way");
  stream.end();
});

exports.handler = awslambda.streamifyResponse(async (event, stream) => {
  stream.write("one,");
  if (event.fail) throw new Error("half-way");
  stream.end("two");
});

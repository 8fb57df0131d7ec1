exports.handler = async () => {
  console.log("two\nlines");
  console.error("an error");
  process.stdout.write("raw stdout\n");
  process.stderr.write("raw stderr, no line feed");
};

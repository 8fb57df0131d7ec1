exports.handler = async () => {
  process.stdout.write("multi\nline\nstring\n");
  process.stdout.write("another\rline\n");
};

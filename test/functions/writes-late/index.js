exports.handler = async () => {
  for (let line = 0; line < 5000; line++) process.stdout.write(`line ${line}\n`);
  console.log("the last line");
};

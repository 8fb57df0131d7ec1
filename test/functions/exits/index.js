exports.handler = async ({ code }) => process.exit(code);

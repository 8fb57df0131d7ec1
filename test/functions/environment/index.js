exports.handler = async () => ({ env: process.env, cwd: process.cwd(), argv: process.argv, group: process.pid });

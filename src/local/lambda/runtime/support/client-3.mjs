// Starts AWS's runtime client 3 (its package's own program prints a line that the managed runtime does not): path, handler.
const [, , client, handler] = process.argv;
const { run } = await import(client);
await run(process.cwd(), handler);

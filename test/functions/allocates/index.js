exports.handler = async ({ megabytes }) => Buffer.alloc(megabytes * 1024 * 1024, 1).length;

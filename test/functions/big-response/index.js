exports.handler = async ({ length }) => "x".repeat(length);

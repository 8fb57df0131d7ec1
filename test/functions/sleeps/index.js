exports.handler = ({ ms }) => new Promise((resolve) => setTimeout(resolve, ms));

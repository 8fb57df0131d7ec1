const { STSClient } = require("@aws-sdk/client-sts");
exports.handler = async () => new STSClient({}).config.serviceId;

class Exception extends Error {}
Exception.prototype.name = "Exception";
exports.handler = async (event, context) => {
  if (event.raise_error) throw new Exception("Test exception (this is intentional)");
  return { event, context: {
    aws_request_id: context.awsRequestId, client_context: context.clientContext ?? null, function_name: context.functionName,
    function_version: context.functionVersion, invoked_function_arn: context.invokedFunctionArn, log_group_name: context.logGroupName,
    log_stream_name: context.logStreamName, memory_limit_in_mb: context.memoryLimitInMB } };
};

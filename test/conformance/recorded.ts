/**
 * What AWS answered, as LocalStack's snapshot tests recorded it in 2025 and 2026 (Apache-2.0), by the name of the recording;
 * values that differ from run to run are `<masked>`. Left out is what a Python function alone has (its stack text, its variables).
 */

const ok = (Payload: unknown): object => ({ StatusCode: 200, ExecutedVersion: "$LATEST", Payload });
const failed = (errorType: string, errorMessage: string, more: object = {}): object => ({
  StatusCode: 200,
  ExecutedVersion: "$LATEST",
  FunctionError: "Unhandled",
  Payload: { errorType, errorMessage, ...more },
});

const TOO_LARGE = failed(
  "Function.ResponseSizeTooLarge",
  "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
);

const ARN = "arn:<partition>:lambda:<region>:111111111111:function";

/** The variables of every runtime. */
const ENVIRONMENT = {
  AWS_ACCESS_KEY_ID: "<aws-access-key-id:1>",
  AWS_DEFAULT_REGION: "<region>",
  AWS_LAMBDA_FUNCTION_NAME: "<function-name:1>",
  AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
  AWS_LAMBDA_INITIALIZATION_TYPE: "on-demand",
  AWS_LAMBDA_LOG_GROUP_NAME: "/aws/lambda/<function-name:1>",
  AWS_LAMBDA_LOG_STREAM_NAME: "<log-stream-name:1>",
  AWS_REGION: "<region>",
  AWS_SECRET_ACCESS_KEY: "<aws-secret-access-key:1>",
  AWS_SESSION_TOKEN: "<aws-session-token:1>",
  AWS_XRAY_CONTEXT_MISSING: "LOG_ERROR",
  LAMBDA_RUNTIME_DIR: "/var/runtime",
  LAMBDA_TASK_ROOT: "/var/task",
  LANG: "en_US.UTF-8",
  LD_LIBRARY_PATH: "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
  PATH: "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
  PWD: "/var/task",
  SHLVL: "0",
  TZ: ":UTC",
  _AWS_XRAY_DAEMON_PORT: "2000",
};

const introspection = (major: number): object => ({
  ctx: {
    aws_request_id: "<uuid:2>",
    function_name: "<function-name:1>",
    function_version: "$LATEST",
    invoked_function_arn: `${ARN}:<function-name:1>`,
    log_group_name: "/aws/lambda/<function-name:1>",
    log_stream_name: "<log-stream-name:1>",
    remaining_time_in_millis: "<remaining-time-in-millis>",
  },
  environment: {
    ...ENVIRONMENT,
    AWS_EXECUTION_ENV: `AWS_Lambda_nodejs${major}.x`,
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "1024",
    AWS_LAMBDA_RUNTIME_API: "169.254.100.1:9001",
    AWS_XRAY_DAEMON_ADDRESS: "169.254.100.1:2000",
    NODE_PATH: `/opt/nodejs/node${major}/node_modules:/opt/nodejs/node_modules:/var/runtime/node_modules:/var/runtime:/var/task`,
    TEST_KEY: "TEST_VAL",
    _AWS_XRAY_DAEMON_ADDRESS: "169.254.100.1",
    _HANDLER: "index.handler",
    _X_AMZN_TRACE_ID: "<x-amzn-trace-id:1>",
  },
  packages: [],
});

const destination = (condition: string, count: number, requestPayload: object, responsePayload: object): object => ({
  version: "1.0",
  timestamp: "date",
  requestContext: {
    requestId: "<uuid:1>",
    functionArn: `${ARN}:<resource:2>:$LATEST`,
    condition,
    approximateInvokeCount: count,
  },
  requestPayload,
  responseContext: {
    statusCode: 200,
    executedVersion: "$LATEST",
    ...(condition === "Success" ? {} : { functionError: "Unhandled" }),
  },
  responsePayload,
});

const INTENTIONAL = { errorMessage: "Test exception (this is intentional)", errorType: "Exception" };

const s3Record = (eventName: string, object: object): object => ({
  awsRegion: "<region>",
  eventName,
  eventSource: "aws:s3",
  eventTime: "date",
  eventVersion: "2.1",
  requestParameters: { sourceIPAddress: "<ip-address:1>" },
  responseElements: { "x-amz-id-2": "amz-id", "x-amz-request-id": "amz-request-id" },
  s3: {
    bucket: {
      arn: "arn:<partition>:s3:::<resource:1>",
      name: "<resource:1>",
      ownerIdentity: { principalId: "<principal-id:1>" },
    },
    configurationId: "<config-id:1>",
    object: { ...object, sequencer: "sequencer" },
    s3SchemaVersion: "1.0",
  },
  userIdentity: { principalId: "<principal-id:2>" },
});

const owned = (path: string, mode: string): object => ({
  [`_${path}_gid`]: 0,
  [`_${path}_mode`]: mode,
  [`_${path}_owner`]: "root",
  [`_${path}_uid`]: 0,
});

const INVALID_BYTE =
  "Could not parse request body into json: Could not parse payload into json: Invalid UTF-8 start byte 0x87\n" +
  " at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: 3]";

export const RECORDED = {
  too_large_response: TOO_LARGE,
  init_environment: { ...ENVIRONMENT, AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "128", _X_AMZN_TRACE_ID: "<xray-trace-id:1>" },
  invoke_no_timeout: ok("null"),
  invoke_with_timeout: failed(
    "Sandbox.Timedout",
    "RequestId: <timeout_error_msg> Error: Task timed out after 1.00 seconds",
  ),
  runtime_introspection_x86: {
    paths: {
      ...owned("lambda-entrypoint.sh", "-rwxr-xr-x"),
      ...owned("opt", "drwxr-xr-x"),
      ...owned("tmp", "drwxrwxrwt"),
      ...owned("var_task", "drwxr-xr-x"),
    },
    pwd: "/var/task",
    user_login_name: "sbx_user1051",
  },
  runtime_ulimits: {
    RLIMIT_AS: [-1, -1],
    RLIMIT_CORE: [10737418240, 10737418240],
    RLIMIT_CPU: [-1, -1],
    RLIMIT_DATA: [-1, -1],
    RLIMIT_FSIZE: [-1, -1],
    RLIMIT_MEMLOCK: [65536, 65536],
    RLIMIT_NOFILE: [1024, 1024],
    RLIMIT_NPROC: [742, 742],
    RLIMIT_RSS: [-1, -1],
    RLIMIT_STACK: [8388608, -1],
  },
  payload_encoding_error: {
    StatusCode: 400,
    Code: "InvalidRequestContentException",
    Type: "User",
    message: INVALID_BYTE,
  },
  runtime_error: failed("Exception", "Runtime startup fails"),
  runtime_exit: failed("Runtime.ExitError", "RequestId: <uuid> Error: Runtime exited without providing a reason"),
  runtime_exit_segfault: failed("Sandbox.Timedout", "RequestId: <uuid> Error: Task timed out after 30.00 seconds"),
  dry_run: { StatusCode: 204, Payload: "" },
  event: { StatusCode: 202, Payload: "" },
  no_return_payload: ok("null"),
  request_response: ok({}),
  with_logs: [
    "START RequestId: <request-id> Version: $LATEST\n",
    "date\t<request-id>\tINFO\t{}\n",
    "END RequestId: <request-id>\n",
    "REPORT RequestId: <request-id>\tDuration: <duration> ms\tBilled Duration: <duration> ms\tMemory Size: 128 MB\tMax Memory Used: <memory> MB\tInit Duration: <duration> ms\t\n",
  ],
  invoke_exceptions: {
    StatusCode: 404,
    Code: "ResourceNotFoundException",
    Type: "User",
    Message: `Function not found: ${ARN}:doesnotexist:$LATEST`,
  },
  introspection_nodejs22: introspection(22),
  introspection_nodejs24: introspection(24),
  uncaught_exception: failed("Error", "Error: some_error_msg", { trace: "<stack-trace>" }),
  destination_success: destination(
    "Success",
    1,
    {},
    {
      context: {
        aws_request_id: "<uuid:1>",
        client_context: null,
        function_name: "<resource:2>",
        function_version: "$LATEST",
        invoked_function_arn: `${ARN}:<resource:2>`,
        log_group_name: "/aws/lambda/<resource:2>",
        log_stream_name: "<log-stream-name:1>",
        memory_limit_in_mb: "128",
      },
      event: {},
    },
  ),
  destination_failure: destination("RetriesExhausted", 1, { raise_error: 1 }, INTENTIONAL),
  destination_default_retries: destination("RetriesExhausted", 3, { raise_error: 1 }, INTENTIONAL),
  multi_line_prints: [
    "START RequestId: <request-id> Version: $LATEST\n",
    "multi\n",
    "line\n",
    "string\n",
    "another\rline\n",
    "END RequestId: <request-id>\n",
    "REPORT RequestId: <request-id>\tDuration: <duration> ms\tBilled Duration: <duration> ms\tMemory Size: 128 MB\tMax Memory Used: <memory> MB\tInit Duration: <duration> ms\t\n",
  ],
  nodejs_es6: ok({ body: '"response from localstack lambda: {\\"event_type\\":\\"test_lambda\\"}"', statusCode: 200 }),
  s3_put: s3Record("ObjectCreated:Put", { eTag: "437b930db84b8079c2dd804a71936b5f", key: "my_key_0", size: 9 }),
  s3_copy: s3Record("ObjectCreated:Copy", {
    eTag: "437b930db84b8079c2dd804a71936b5f",
    key: "<object-key:1>",
    size: 9,
  }),
  s3_multipart: s3Record("ObjectCreated:CompleteMultipartUpload", {
    eTag: "<e-tag>-1",
    key: "test-key",
    size: 6144,
  }),
  s3_filter: s3Record("ObjectCreated:Put", {
    eTag: "<e-tag>",
    key: "testupload/dir1/testfile.txt",
    size: 32,
  }),
  s3_put_to_lambda: s3Record("ObjectCreated:Put", {
    eTag: "<e-tag>",
    key: "<object-key:1>",
    size: 11,
  }),
} as const;

export type Recording = keyof typeof RECORDED;

import { TooManyRequestsError } from "../local-lambda.ts";
import { InvalidPayloadError } from "./payload.ts";

/** An answer of the service itself instead of a result: AWS's SDKs make an exception of its type. */
export class ServiceError extends Error {
  readonly status: number;
  readonly type: string;
  readonly members: Readonly<Record<string, string>>;

  constructor(status: number, type: string, members: Readonly<Record<string, string>>) {
    super(type);
    this.status = status;
    this.type = type;
    this.members = members;
  }
}

/** Whatever was thrown, as AWS would answer it. */
export function toServiceError(error: unknown): ServiceError {
  if (error instanceof ServiceError) return error;
  if (error instanceof InvalidPayloadError)
    return new ServiceError(400, "InvalidRequestContentException", { Type: "User", message: error.message });
  if (error instanceof TooManyRequestsError)
    return new ServiceError(429, "TooManyRequestsException", {
      Reason: "ReservedFunctionConcurrentInvocationLimitExceeded",
      Type: "User",
      message: "Rate Exceeded.",
    });
  return new ServiceError(500, "ServiceException", { Type: "Service", message: String(error) });
}

/** A parameter that is wrong, or that this local Lambda does not support; the message says which. */
export function invalidParameter(message: string): ServiceError {
  return new ServiceError(400, "InvalidParameterValueException", { Type: "User", message });
}

import { STSClient } from "@aws-sdk/client-sts";
export const handler = async () => new STSClient({}).config.serviceId;

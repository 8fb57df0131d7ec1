const api = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation`;
const post = async (id, body) => (await fetch(`${api}/${id}/response`, { method: "POST", body })).status;
exports.handler = async (event, { awsRequestId }) => {
  const foreign = await post("00000000-0000-4000-8000-000000000000", '"foreign"');
  const [first, second] = [await post(awsRequestId, '"first"'), await post(awsRequestId, '"second"')];
  console.log("statuses", foreign, first, second);
  return "third";
};

const api = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2020-01-01/extension`;
const register = (events) => fetch(`${api}/register`, { method: "POST", headers: { "Lambda-Extension-Name": "inner" }, body: JSON.stringify({ events }) });
const { errorType: refused } = await (await register(["SHUTDOWN"])).json();
const headers = { "Lambda-Extension-Identifier": (await register(["INVOKE"])).headers.get("lambda-extension-identifier") };
const next = async () => (await (await fetch(`${api}/event/next`, { headers })).json()).eventType;
const listen = async () => { for (;;) console.log("inner", await next()); };
listen();
export const handler = async () => ({ refused, late: (await (await register([])).json()).errorType });

// Stands in for aws-lambda-ric's rapid-client.node where that addon is not built: the same three functions, next, done and
// error, over node:http. AWS's JavaScript stays as it is. Unlike the addon, done and error do not block the event loop.
"use strict";
const http = require("node:http");
const Module = require("node:module");

const [host, port] = (process.env.AWS_LAMBDA_RUNTIME_API ?? "").split(":");
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

/** One request to the Runtime API; resolves to the answer's body and headers. */
function call(method, path, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
    const options = {
      host,
      port,
      method,
      path: `/2018-06-01/runtime${path}`,
      agent,
      headers: { ...length, ...headers },
    };
    const request = http.request(options, (response) => {
      let bodyJson = "";
      response.setEncoding("utf8");
      response.on("data", (chunk) => {
        bodyJson += chunk;
      });
      response.on("end", () => resolve({ bodyJson, headers: response.headers }));
      response.on("error", reject);
    });
    request.on("error", reject);
    request.end(body);
  });
}

// The addon posts before it asks for the next invocation; the queue keeps that order.
let last = Promise.resolve();
function inOrder(step) {
  last = last.then(step, step);
  return last;
}

const json = { "content-type": "application/json" };
const addon = {
  next: () => inOrder(() => call("GET", "/invocation/next")),
  done: (id, body) => {
    inOrder(() => call("POST", `/invocation/${id}/response`, body, json)).catch(() => {});
  },
  error: (id, body, xrayCause) => {
    const cause = {
      "lambda-runtime-function-xray-error-cause": Buffer.from(xrayCause)
        .toString("latin1")
        .replace(/[^\t\x20-\x7e]/g, "?"),
    };
    inOrder(() => call("POST", `/invocation/${id}/error`, body, { ...json, ...cause })).catch(() => {});
  },
};

const load = Module._load;
Module._load = function loadWithStandIn(request, ...rest) {
  return /(^|\/)rapid-client\.node$/.test(request) ? addon : load.call(this, request, ...rest);
};

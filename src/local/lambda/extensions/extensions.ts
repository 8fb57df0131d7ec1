import { randomUUID } from "node:crypto";
import type http from "node:http";
import { buffer } from "node:stream/consumers";
import type { FunctionConfiguration } from "../function.ts";
import { ACCOUNT_ID } from "../function.ts";

/**
 * The Lambda Extensions API, version 2020-01-01, for one session of a runtime.
 * https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html; errors as in AWS's runtime interface emulator.
 */

export type ExtensionEvent = "INVOKE" | "SHUTDOWN";

/** Why a session ends, in AWS's words. */
export type ShutdownReason = "spindown" | "timeout" | "failure";

/** An extension that has registered. */
export interface Extension {
  readonly id: string;
  readonly name: string;
  /** A program of its own from /opt/extensions; the others live in the runtime's process. */
  readonly external: boolean;
  readonly events: readonly ExtensionEvent[];
}

interface Registered extends Extension {
  /** Its request for the next event, which is not answered yet. */
  waiting?: http.ServerResponse | undefined;
}

/** What the session is told. */
export interface ExtensionsListener {
  /** An extension has registered, or waits for its next event. */
  onChange(): void;
  onFailure(errorType: string, reason: string): void;
}

/** AWS's limit on the extensions of a function. */
const MOST_EXTENSIONS = 10;

export type Answer = (status: number, body: object | string, headers?: http.OutgoingHttpHeaders) => void;

const PATH = /^\/2020-01-01\/extension\/(register|event\/next|init\/error|exit\/error)$/;

export class Extensions {
  readonly #fn: FunctionConfiguration;
  readonly #expected: readonly string[];
  readonly #listener: ExtensionsListener;
  readonly #registered = new Map<string, Registered>();
  #open = true;

  /** `expected` are the names of the programs in /opt/extensions. */
  constructor(fn: FunctionConfiguration, expected: readonly string[], listener: ExtensionsListener) {
    this.#fn = fn;
    this.#expected = expected;
    this.#listener = listener;
  }

  get all(): readonly Extension[] {
    return [...this.#registered.values()];
  }

  /** Every program of /opt/extensions has registered: the runtime may start. */
  get complete(): boolean {
    return this.#expected.every((name) => this.all.some((extension) => extension.name === name));
  }

  /** Every extension waits for its next event. */
  get ready(): boolean {
    return this.complete && [...this.#registered.values()].every(({ waiting }) => waiting !== undefined);
  }

  find(id: string | undefined): Extension | undefined {
    return this.#registered.get(id ?? "");
  }

  /** The initialization is over: nobody registers any more. */
  close(): void {
    this.#open = false;
  }

  /** Hands an event to those who want it. Times in milliseconds since the epoch. */
  send(event: ExtensionEvent, details: Readonly<Record<string, unknown>> & { readonly deadlineMs: number }): void {
    for (const extension of this.#registered.values()) {
      const { waiting } = extension;
      if (waiting === undefined || !extension.events.includes(event)) continue;
      extension.waiting = undefined;
      const text = JSON.stringify({ eventType: event, ...details });
      waiting.writeHead(200, {
        "Content-Type": "application/json",
        "Content-Length": Buffer.byteLength(text),
        "Lambda-Extension-Event-Identifier": randomUUID(),
      });
      waiting.end(text);
    }
  }

  /** False when the request is for somebody else. */
  async serve(request: http.IncomingMessage, response: http.ServerResponse, answer: Answer): Promise<boolean> {
    const [, operation] = PATH.exec(request.url ?? "") ?? [];
    const method = operation === "event/next" ? "GET" : "POST";
    if (operation === undefined || request.method !== method) return false;
    const body = await buffer(request);
    if (operation === "register") this.#register(request, body, answer);
    else {
      const extension = this.#identify(request, answer);
      if (extension === undefined) return true;
      if (operation === "event/next") this.#next(extension, response, answer);
      else this.#fail(extension, operation, request, body, answer);
    }
    return true;
  }

  #register(request: http.IncomingMessage, body: Buffer, answer: Answer): void {
    const name = request.headers["lambda-extension-name"];
    if (typeof name !== "string" || name === "") {
      refuse(answer, "Extension.InvalidExtensionName", "Empty extension name");
      return;
    }
    const external = this.#expected.includes(name);
    const events = parseEvents(body);
    if (events === undefined) refuse(answer, "InvalidRequestFormat", "expected a JSON object with a list of events");
    else if (!this.#open && !external)
      refuse(answer, "Extension.RegistrationClosed", "Extension registration closed already");
    else if (this.all.some((extension) => extension.name === name))
      refuse(answer, "Extension.InvalidExtensionState", "Extension with this name already registered");
    else if (this.#registered.size >= MOST_EXTENSIONS)
      refuse(answer, "Extension.TooManyExtensions", `Extension limit (${MOST_EXTENSIONS}) reached`);
    else {
      const wrong = events.find((event) => event !== "INVOKE" && (event !== "SHUTDOWN" || !external));
      if (wrong !== undefined) {
        refuse(answer, "Extension.InvalidEventType", `${wrong}: event type is not supported`);
        return;
      }
      const id = randomUUID();
      this.#registered.set(id, { id, name, external, events: events as ExtensionEvent[] });
      const wantsAccount = String(request.headers["lambda-extension-accept-feature"] ?? "").includes("accountId");
      const about = { functionName: this.#fn.name, functionVersion: "$LATEST", handler: this.#fn.handler };
      answer(
        200,
        { ...about, ...(wantsAccount ? { accountId: ACCOUNT_ID } : {}) },
        { "Lambda-Extension-Identifier": id },
      );
      this.#listener.onChange();
    }
  }

  #identify(request: http.IncomingMessage, answer: Answer): Registered | undefined {
    const id = request.headers["lambda-extension-identifier"];
    const found = this.#registered.get(String(id));
    if (id === undefined) refuse(answer, "Extension.MissingHeader", "Missing Lambda-Extension-Identifier header");
    else if (found === undefined) refuse(answer, "Extension.UnknownExtensionIdentifier", `Unknown extension ${id}`);
    return found;
  }

  #next(extension: Registered, response: http.ServerResponse, answer: Answer): void {
    if (extension.waiting !== undefined) {
      refuse(answer, "Extension.InvalidExtensionState", `extension ${extension.name} waits for its next event already`);
      return;
    }
    extension.waiting = response;
    response.once("close", () => {
      if (extension.waiting === response) extension.waiting = undefined;
    });
    this.#listener.onChange();
  }

  #fail({ name }: Extension, operation: string, request: http.IncomingMessage, body: Buffer, answer: Answer): void {
    const type = request.headers["lambda-extension-function-error-type"];
    if (typeof type !== "string") {
      refuse(answer, "Extension.MissingHeader", "Missing Lambda-Extension-Function-Error-Type header");
      return;
    }
    answer(202, { status: "OK" });
    const errorType = operation === "init/error" ? "Extension.InitError" : "Extension.ExitError";
    this.#listener.onFailure(errorType, `extension ${name}: ${type} ${body}`.trim());
  }
}

function parseEvents(body: Buffer): string[] | undefined {
  try {
    const { events = [] } = JSON.parse(body.toString()) as { events?: unknown };
    return Array.isArray(events) && events.every((event) => typeof event === "string") ? events : undefined;
  } catch {
    return undefined;
  }
}

function refuse(answer: Answer, errorType: string, errorMessage: string): void {
  answer(403, { errorMessage, errorType });
}

// REST as a script would call it: a thin wrapper over fetch. A page of the old app is `../old-app/client/api.js`.

export class RestError extends Error {
  constructor(method, path, status, body) {
    super(`${method} ${path} answered ${status}: ${JSON.stringify(body)}`);
    this.status = status;
    this.body = body;
  }
}

/**
 * A caller for one user. `origin` makes its calls look like a page's; `socketId` (a string, or a function) is sent
 * as X-Socket-Id. Methods throw a RestError unless the answer is 2xx; `raw` returns `{ status, headers, body }` always.
 */
export class Rest {
  constructor(url, { token, origin, socketId } = {}) {
    Object.assign(this, { url, token, origin, socketId });
  }

  async raw(method, path, body, headers = {}) {
    const socketId = typeof this.socketId === "function" ? this.socketId() : this.socketId;
    const response = await fetch(this.url + path, {
      method,
      headers: {
        ...(this.token && { Authorization: `Bearer ${this.token}` }),
        ...(this.origin && { Origin: this.origin }),
        ...(socketId && { "X-Socket-Id": socketId }),
        ...(body !== undefined && { "Content-Type": "application/json" }),
        ...headers,
      },
      body: body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body),
      signal: AbortSignal.timeout(15_000),
    });
    const text = await response.text();
    const json = response.headers.get("content-type")?.includes("json");
    return { status: response.status, headers: response.headers, body: json ? JSON.parse(text) : text };
  }

  async call(method, path, body, headers) {
    const answer = await this.raw(method, path, body, headers);
    if (answer.status < 200 || answer.status > 299) throw new RestError(method, path, answer.status, answer.body);
    return answer.body;
  }

  get = (path, headers) => this.call("GET", path, undefined, headers);
  post = (path, body = {}, headers) => this.call("POST", path, body, headers);
  patch = (path, body, headers) => this.call("PATCH", path, body, headers);
  delete = (path, headers) => this.call("DELETE", path, undefined, headers);
}

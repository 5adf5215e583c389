// What every route has in common: bodies that are none, ids that are none, methods that are none, sizes, CORS, health.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Rest } from "../lib/rest.mjs";
import { objectId } from "../lib/tokens.mjs";
import { Board, PAGE, people, serve } from "./support.mjs";

const server = await serve({ CLIENT_URL: `${PAGE}/,https://app.example.org` });
const [ada] = await people(server, "Ada");
const board = await Board.of(ada);
const task = await board.task();
const id = objectId();

// Each route that takes a body.
const BODIES = [
  ["POST", "/api/auth/register"],
  ["POST", "/api/auth/login"],
  ["PATCH", "/api/auth/me"],
  ["POST", "/api/workspaces"],
  ["PATCH", `/api/workspaces/${board.workspace._id}`],
  ["POST", `/api/workspaces/${board.workspace._id}/members`],
  ["POST", "/api/projects"],
  ["PATCH", `/api/projects/${board.id}`],
  ["POST", `/api/projects/${board.id}/members`],
  ["POST", "/api/tasks"],
  ["PATCH", `/api/tasks/${task._id}`],
  ["POST", `/api/tasks/${task._id}/move`],
  ["POST", "/api/channels"],
  ["POST", `/api/channels/${board.channel._id}/messages`],
];
const named = (path) => path.replace(/[0-9a-f]{24}/g, ":id");

describe("a body", () => {
  for (const [method, path] of BODIES) {
    it(`of ${method} ${named(path)} must be JSON`, async () => {
      for (const text of ["{", "nonsense", '{"title":', "\u0000"]) {
        const { status, body } = await ada.rest.raw(method, path, text);
        assert.deepEqual([status, body.code], [400, "bad_json"], text);
        assert.equal(typeof body.message, "string");
      }
    });

    it(`of ${method} ${named(path)} must be an object`, async () => {
      for (const text of ["null", "7", "[]", '"text"']) {
        const { status, body } = await ada.rest.raw(method, path, text);
        assert.equal(status, 400, text);
        assert.ok(["validation_failed", "bad_json"].includes(body.code), text);
      }
    });

    it(`of ${method} ${named(path)} must say that it is JSON`, async () => {
      for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/xml"]) {
        const { status, body } = await ada.rest.raw(method, path, "{}", { "Content-Type": type });
        assert.deepEqual([status, body.code], [415, "unsupported_media_type"], type);
      }
    });

    it(`of ${method} ${named(path)} may not be larger than limits.max_body`, async () => {
      const { status, body } = await ada.rest.raw(method, path, `{"title":"${"x".repeat(1_000_000)}"}`);
      assert.deepEqual([status, body.code], [413, "payload_too_large"]);
    });
  }

  it("may name its character set", async () => {
    const headers = { "Content-Type": "application/json; charset=utf-8" };
    const { status } = await ada.rest.raw("POST", "/api/workspaces", { name: "Größe" }, headers);
    assert.equal(status, 201);
  });
});

describe("an id in a path", () => {
  for (const [method, path] of [
    ["GET", "/api/workspaces/ID"],
    ["PATCH", "/api/workspaces/ID"],
    ["DELETE", "/api/workspaces/ID"],
    ["POST", "/api/workspaces/ID/members"],
    ["DELETE", `/api/workspaces/${board.workspace._id}/members/ID`],
    ["GET", "/api/projects/ID"],
    ["PATCH", "/api/projects/ID"],
    ["DELETE", "/api/projects/ID"],
    ["POST", "/api/projects/ID/members"],
    ["DELETE", `/api/projects/${board.id}/members/ID`],
    ["GET", "/api/projects?workspaceId=ID"],
    ["GET", "/api/tasks/project/ID"],
    ["GET", "/api/tasks/ID"],
    ["PATCH", "/api/tasks/ID"],
    ["DELETE", "/api/tasks/ID"],
    ["POST", "/api/tasks/ID/move"],
    ["GET", "/api/channels/project/ID"],
    ["DELETE", "/api/channels/ID"],
    ["GET", "/api/channels/ID/messages"],
    ["POST", "/api/channels/ID/messages"],
  ]) {
    it(`that is no ObjectId is a bad_id in ${method} ${named(path)}`, async () => {
      for (const bad of ["nonsense", "a".repeat(23), "g".repeat(24), "a".repeat(25), "%00", "%F0%9F%98%80"]) {
        const body = method === "GET" || method === "DELETE" ? undefined : {};
        const answer = await ada.rest.raw(method, path.replace("ID", bad), body);
        assert.deepEqual([answer.status, answer.body.code], [400, "bad_id"], bad);
      }
    });
  }
});

describe("a method or path that is not there", () => {
  for (const [method, path, allowed] of [
    ["PUT", "/api/workspaces", ["GET", "POST"]],
    ["DELETE", "/api/projects", ["GET", "POST"]],
    ["PUT", `/api/tasks/${id}`, ["DELETE", "GET", "PATCH"]],
    ["GET", "/api/tasks", ["POST"]],
    ["GET", "/api/auth/login", ["POST"]],
    ["POST", "/api/auth/me", ["GET", "PATCH"]],
    ["PATCH", `/api/channels/${id}`, ["DELETE"]],
    ["DELETE", `/api/channels/${id}/messages`, ["GET", "POST"]],
    ["GET", `/api/tasks/${id}/move`, ["POST"]],
  ]) {
    it(`${method} ${named(path)} is a 405 that says what is allowed`, async () => {
      const { status, body, headers } = await ada.rest.raw(method, path, method === "GET" ? undefined : {});
      assert.deepEqual([status, body.code], [405, "method_not_allowed"]);
      const allow = headers
        .get("allow")
        .split(",")
        .map((text) => text.trim());
      const expected = allow.filter((name) => !["HEAD", "OPTIONS"].includes(name)).sort();
      assert.deepEqual(expected, allowed);
    });
  }

  it("an unknown path is a 404 in JSON", async () => {
    for (const path of ["/api/nothing", "/api", "/nothing", "/api/tasks/a/b/c"]) {
      const { status, body } = await ada.rest.raw("GET", path);
      assert.deepEqual([status, body.code], [404, "not_found"], path);
    }
  });
});

describe("CORS", () => {
  const anybody = new Rest(server.url);
  const words = (headers, name) =>
    (headers.get(name) ?? "")
      .toLowerCase()
      .split(",")
      .map((word) => word.trim())
      .filter(Boolean);

  for (const origin of [PAGE, "https://app.example.org"]) {
    it(`a preflight from ${origin} is answered with all that is allowed`, async () => {
      const { status, headers } = await anybody.raw("OPTIONS", `/api/tasks/${id}`, undefined, {
        Origin: origin,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization,content-type,if-match,idempotency-key,x-socket-id",
      });
      assert.ok(status === 200 || status === 204);
      assert.equal(headers.get("access-control-allow-origin"), origin);
      assert.equal(headers.get("access-control-allow-credentials"), "true");
      for (const method of ["get", "post", "patch", "delete"])
        assert.ok(words(headers, "access-control-allow-methods").includes(method));
      const allowed = ["authorization", "content-type", "if-match", "idempotency-key", "x-socket-id"];
      for (const header of allowed) assert.ok(words(headers, "access-control-allow-headers").includes(header), header);
    });
  }

  it("the headers are on answers and on errors alike", async () => {
    const nobody = new Rest(server.url, { origin: PAGE });
    const page = new Rest(server.url, { origin: PAGE, token: ada.token });
    const calls = {
      200: page.raw("GET", "/api/workspaces"),
      201: page.raw("POST", "/api/workspaces", { name: "Works" }),
      400: page.raw("POST", "/api/workspaces", {}),
      401: nobody.raw("GET", "/api/workspaces"),
      404: page.raw("GET", `/api/tasks/${id}`),
      405: page.raw("PUT", "/api/workspaces", {}),
      413: page.raw("POST", "/api/workspaces", "x".repeat(1_000_001)),
      415: page.raw("POST", "/api/workspaces", "x", { "Content-Type": "text/plain" }),
    };
    for (const [status, call] of Object.entries(calls)) {
      const answer = await call;
      assert.equal(answer.status, Number(status));
      assert.equal(answer.headers.get("access-control-allow-origin"), PAGE, status);
      assert.equal(answer.headers.get("access-control-allow-credentials"), "true", status);
      assert.ok(words(answer.headers, "vary").includes("origin"), status);
      for (const name of ["etag", "retry-after", "x-next-cursor"]) {
        assert.ok(words(answer.headers, "access-control-expose-headers").includes(name), `${status} ${name}`);
      }
    }
  });

  it("polling has them too", async () => {
    const { headers } = await new Rest(server.url, { origin: PAGE }).raw("GET", "/socket.io/?EIO=4&transport=polling");
    assert.equal(headers.get("access-control-allow-origin"), PAGE);
    assert.equal(headers.get("access-control-allow-credentials"), "true");
  });

  it("another origin gets none, and the refusal is logged with the setting that would mend it", async () => {
    for (const origin of ["https://evil.example.org", "http://localhost:3001", "null"]) {
      const preflight = await anybody.raw("OPTIONS", "/api/workspaces", undefined, {
        Origin: origin,
        "Access-Control-Request-Method": "POST",
      });
      const call = await new Rest(server.url, { token: ada.token, origin }).raw("GET", "/api/workspaces");
      for (const { headers } of [preflight, call])
        assert.equal(headers.get("access-control-allow-origin"), null, origin);
    }
    assert.match(server.log(), /evil\.example\.org.*CLIENT_URL|CLIENT_URL.*evil\.example\.org/);
  });
});

describe("the state of the service", () => {
  it("is told without a token", async () => {
    for (const path of ["/healthz", "/readyz"]) assert.equal((await new Rest(server.url).raw("GET", path)).status, 200);
  });

  it("names the store in /readyz", async () => {
    assert.match(JSON.stringify((await new Rest(server.url).raw("GET", "/readyz")).body), /store/);
  });
});

describe("too many requests of one user", () => {
  it("are a 429 with Retry-After, and another user is served", async () => {
    const tight = await serve({ COLLABFLOW_LIMITS__REQUESTS_PER_SECOND: "1", COLLABFLOW_LIMITS__REQUESTS_BURST: "5" });
    const [busy, calm] = await people(tight, "Busy", "Calm");
    const answers = await Promise.all(Array.from({ length: 12 }, () => busy.rest.raw("GET", "/api/auth/me")));
    const refused = answers.filter(({ status }) => status === 429);
    assert.ok(refused.length >= 5);
    for (const { body, headers } of refused) {
      assert.equal(body.code, "rate_limited");
      assert.ok(Number(headers.get("retry-after")) >= 1);
    }
    await calm.rest.get("/api/auth/me");
  });
});

// Workspaces, projects and their members: what the routes answer, who may what, owners, and leaving.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { objectId } from "../lib/tokens.mjs";
import { connect } from "./client.mjs";
import { Board, ISO_TIME, OBJECT_ID, people, registered, serve } from "./support.mjs";

const server = await serve();
const [ada, ben, cleo, dan, eve] = await people(server, "Ada", "Ben", "Cleo", "Dan", "Eve");
/** Ada owns it; Dan is an admin, Ben a member, Cleo a viewer, Eve a stranger. */
const newBoard = () => Board.of(ada, [dan, "admin"], ben, [cleo, "viewer"]);

/** The two kinds of place with members. */
const PLACES = {
  workspace: { path: (board) => `/api/workspaces/${board.workspace._id}`, list: () => "/api/workspaces" },
  project: {
    path: (board) => `/api/projects/${board.id}`,
    list: (board) => `/api/projects?workspaceId=${board.workspace._id}`,
  },
};
const status = async (user, method, path, body) => (await user.rest.raw(method, path, body)).status;
const roles = ({ members }) => Object.fromEntries(members.map(({ user, role }) => [user.name, role]));
const DENIED = [403, 404];

describe("POST /api/workspaces", () => {
  it("makes the creator its owner", async () => {
    const answer = await ada.rest.raw("POST", "/api/workspaces", { name: "  Works  " });
    assert.equal(answer.status, 201);
    const { _id, owner, createdAt, updatedAt, ...rest } = answer.body;
    assert.match(_id, OBJECT_ID);
    assert.match(createdAt, ISO_TIME);
    assert.match(updatedAt, ISO_TIME);
    assert.ok(JSON.stringify(owner).includes(ada._id));
    assert.deepEqual(rest, { name: "Works", members: [{ user: ada.face, role: "owner" }] });
    assert.deepEqual(await ada.rest.get(`/api/workspaces/${_id}`), answer.body);
  });
});

describe("POST /api/projects", () => {
  it("makes the creator its owner", async () => {
    const { workspace } = await newBoard();
    const answer = await ben.rest.raw("POST", "/api/projects", {
      name: " Board ",
      description: " Text ",
      workspaceId: workspace._id,
    });
    assert.equal(answer.status, 201);
    const { _id, createdBy, createdAt, updatedAt, ...rest } = answer.body;
    assert.match(_id, OBJECT_ID);
    assert.match(createdAt, ISO_TIME);
    assert.ok(JSON.stringify(createdBy).includes(ben._id));
    assert.deepEqual(rest, {
      name: "Board",
      description: "Text",
      workspace: workspace._id,
      members: [{ user: ben.face, role: "owner" }],
    });
    assert.deepEqual(await ben.rest.get(`/api/projects/${_id}`), answer.body);
  });

  it("is for members of the workspace, not for viewers and strangers", async () => {
    const { workspace } = await newBoard();
    const body = { name: "Board", workspaceId: workspace._id };
    assert.equal(await status(cleo, "POST", "/api/projects", body), 403);
    assert.ok(DENIED.includes(await status(eve, "POST", "/api/projects", body)));
    assert.equal(await status(ada, "POST", "/api/projects", { ...body, workspaceId: objectId() }), 404);
    for (const workspaceId of [undefined, 7, "nonsense"]) {
      assert.equal(await status(ada, "POST", "/api/projects", { ...body, workspaceId }), 400);
    }
  });
});

describe("GET /api/projects", () => {
  it("lists one's own projects, of one workspace or of all", async () => {
    const [fay] = await people(server, "Fay");
    const [one, two] = [await Board.of(fay), await Board.of(fay)];
    const names = async (query) => (await fay.rest.get(`/api/projects${query}`)).map(({ _id }) => _id).sort();
    assert.deepEqual(await names(`?workspaceId=${one.workspace._id}`), [one.id]);
    assert.deepEqual(await names(""), [one.id, two.id].sort());
  });
});

for (const [kind, { path, list }] of Object.entries(PLACES)) {
  describe(`a ${kind}`, () => {
    it("is read by its members, and by nobody else", async () => {
      const board = await newBoard();
      for (const member of [ada, ben, cleo, dan]) {
        const place = await member.rest.get(path(board));
        assert.deepEqual(roles(place), { Ada: "owner", Dan: "admin", Ben: "member", Cleo: "viewer" });
        const listed = await member.rest.get(list(board));
        assert.deepEqual(
          listed.find(({ _id }) => _id === place._id),
          place,
        );
      }
      assert.ok(DENIED.includes(await status(eve, "GET", path(board))));
      assert.ok(!JSON.stringify((await eve.rest.raw("GET", list(board))).body).includes(board.project.name));
    });

    it("that is not there is a 404", async () => {
      const nowhere = { id: objectId(), workspace: { _id: objectId() } };
      for (const [method, tail, body] of [
        ["GET", ""],
        ["PATCH", "", { name: "x" }],
        ["DELETE", ""],
        ["POST", "/members", { userId: ben._id }],
        ["DELETE", `/members/${ben._id}`],
      ]) {
        const answer = await ada.rest.raw(method, path(nowhere) + tail, body);
        assert.deepEqual([answer.status, answer.body.code], [404, "not_found"], `${method} ${tail}`);
      }
    });

    it("is renamed by PATCH, not by viewers and strangers", async () => {
      const board = await newBoard();
      const renamed = await ada.rest.patch(path(board), { name: " New name " });
      assert.equal(renamed.name, "New name");
      assert.equal((await ada.rest.get(path(board))).name, "New name");
      assert.equal(await status(cleo, "PATCH", path(board), { name: "x" }), 403);
      assert.ok(DENIED.includes(await status(eve, "PATCH", path(board), { name: "x" })));
    });

    it("refuses names that are none", async () => {
      const board = await newBoard();
      const create =
        kind === "project"
          ? ["POST", "/api/projects", { workspaceId: board.workspace._id }]
          : ["POST", "/api/workspaces", {}];
      for (const name of [null, 7, "", "  ", {}, "x".repeat(101)]) {
        for (const [method, where, rest] of [create, ["PATCH", path(board), {}]]) {
          const answer = await ada.rest.raw(method, where, { ...rest, name });
          assert.deepEqual([answer.status, Object.keys(answer.body.fields)], [400, ["name"]], `${method} ${name}`);
        }
      }
    });

    it("is deleted by its owner, not by members, viewers and strangers, and is gone then", async () => {
      const board = await newBoard();
      const task = await board.task();
      for (const user of [ben, cleo]) assert.equal(await status(user, "DELETE", path(board)), 403);
      assert.ok(DENIED.includes(await status(eve, "DELETE", path(board))));
      assert.ok((await ada.rest.raw("DELETE", path(board))).status < 300);
      assert.equal(await status(ada, "GET", path(board)), 404);
      assert.equal(await status(ada, "GET", `/api/projects/${board.id}`), 404);
      assert.equal(await status(ada, "GET", `/api/tasks/project/${board.id}`), 404);
      assert.equal(await status(ada, "GET", `/api/tasks/${task._id}`), 404);
      assert.equal(await status(ada, "GET", `/api/channels/${board.channel._id}/messages`), 404);
    });
  });

  describe(`the members of a ${kind}`, () => {
    const invite = (user, board, body) => user.rest.raw("POST", `${path(board)}/members`, body);
    const remove = (user, board, other) => user.rest.raw("DELETE", `${path(board)}/members/${other._id}`);

    it("are added by id or by email, as members where no role is said", async () => {
      const board = await newBoard();
      const fay = await registered(server, "Fay");
      const [gus] = await people(server, "Gus");
      await board.add(gus, "viewer");
      assert.ok((await invite(ada, board, { email: fay.email.toUpperCase() })).status < 300);
      const place = await ada.rest.get(path(board));
      assert.deepEqual(place.members.at(-1), { user: fay.face, role: "member" });
      assert.equal(roles(place).Gus, "viewer");
    });

    it("added again get the new role, and are there once", async () => {
      const board = await newBoard();
      for (const role of ["viewer", "admin", "member"]) {
        assert.ok((await invite(ada, board, { userId: ben._id, role })).status < 300);
        const place = await ada.rest.get(path(board));
        assert.equal(roles(place).Ben, role);
        assert.equal(place.members.length, 4);
      }
    });

    it("are managed by admins and owners alone", async () => {
      const board = await newBoard();
      for (const user of [ben, cleo]) {
        assert.equal((await invite(user, board, { userId: eve._id })).status, 403);
        assert.equal((await remove(user, board, dan)).status, 403);
      }
      assert.ok(DENIED.includes((await invite(eve, board, { userId: eve._id })).status));
      assert.ok((await invite(dan, board, { userId: ben._id, role: "viewer" })).status < 300);
      assert.ok((await remove(dan, board, ben)).status < 300);
      assert.equal(roles(await ada.rest.get(path(board))).Ben, undefined);
      assert.ok(DENIED.includes(await status(ben, "GET", path(board))));
    });

    it("who are nobody are a 404, and a role or a user that makes no sense is a 400", async () => {
      const board = await newBoard();
      for (const body of [{ userId: objectId() }, { email: `${objectId()}@example.com` }]) {
        assert.equal((await invite(ada, board, body)).status, 404);
      }
      for (const body of [
        {},
        { userId: 7 },
        { userId: "nonsense" },
        { email: 7 },
        { userId: ben._id, role: "king" },
        { userId: ben._id, role: 7 },
      ]) {
        const answer = await invite(ada, board, body);
        assert.equal(answer.status, 400, JSON.stringify(body));
        assert.ok(["validation_failed", "bad_id"].includes(answer.body.code));
      }
      assert.equal((await remove(ada, board, { _id: objectId() })).status, 404);
    });

    it("who are owners are made, demoted and removed by owners alone", async () => {
      const board = await newBoard();
      for (const [body, who] of [
        [{ userId: ben._id, role: "owner" }, dan],
        [{ userId: ada._id, role: "member" }, dan],
      ]) {
        assert.equal((await invite(who, board, body)).status, 403);
      }
      assert.equal((await remove(dan, board, ada)).status, 403);
      assert.equal((await invite(dan, board, { userId: dan._id, role: "owner" })).status, 403, "not even for himself");
      assert.ok((await invite(ada, board, { userId: ben._id, role: "owner" })).status < 300);
      assert.ok((await invite(ben, board, { userId: ada._id, role: "member" })).status < 300);
      assert.equal(roles(await ben.rest.get(path(board))).Ada, "member");
    });

    it("keep their last owner", async () => {
      const board = await newBoard();
      assert.equal((await invite(ada, board, { userId: ada._id, role: "member" })).status, 403);
      const leaving = await remove(ada, board, ada);
      assert.deepEqual([leaving.status, leaving.body.code], [403, "forbidden"]);
      assert.equal(roles(await ada.rest.get(path(board))).Ada, "owner");
    });

    it("may leave by themselves, whatever their role", async () => {
      const board = await newBoard();
      for (const user of [ben, cleo, dan]) {
        assert.ok((await remove(user, board, user)).status < 300);
        assert.ok(DENIED.includes(await status(user, "GET", path(board))));
      }
    });
  });
}

describe("leaving a workspace", () => {
  it("ends the memberships of its projects, and of no others", async () => {
    const [board, other] = [await newBoard(), await newBoard()];
    await ada.rest.delete(`/api/workspaces/${board.workspace._id}/members/${ben._id}`);
    assert.ok(DENIED.includes(await status(ben, "GET", `/api/projects/${board.id}`)));
    assert.equal(await status(ben, "GET", `/api/tasks/project/${board.id}`), 404);
    assert.equal(roles(await ada.rest.get(`/api/projects/${board.id}`)).Ben, undefined);
    await ben.rest.get(`/api/projects/${other.id}`);
  });

  it("is refused where a project would lose its last owner, and names the project", async () => {
    const board = await newBoard();
    const body = { name: "Ben's very own", workspaceId: board.workspace._id };
    const project = await ben.rest.post("/api/projects", body);
    const member = `/api/workspaces/${board.workspace._id}/members/${ben._id}`;
    for (const user of [ada, ben]) {
      const answer = await user.rest.raw("DELETE", member);
      assert.deepEqual([answer.status, answer.body.code], [403, "forbidden"]);
      assert.match(answer.body.message, /Ben's very own/);
    }
    assert.equal(roles(await ben.rest.get(`/api/projects/${board.id}`)).Ben, "member", "nothing was half done");
    await ben.rest.delete(`/api/projects/${project._id}`);
    await ada.rest.delete(member);
  });
});

describe("a project", () => {
  it("is renamed by members, and deleted by admins", async () => {
    const board = await newBoard();
    assert.equal((await ben.rest.patch(`/api/projects/${board.id}`, { name: "Ben's name" })).name, "Ben's name");
    await dan.rest.delete(`/api/projects/${board.id}`);
  });

  it("has a description that can be changed and cleared", async () => {
    const board = await newBoard();
    const path = `/api/projects/${board.id}`;
    assert.equal((await ada.rest.patch(path, { description: " Text " })).description, "Text");
    assert.ok(!(await ada.rest.patch(path, { description: "" })).description);
    const answer = await ada.rest.raw("PATCH", path, { description: "x".repeat(2_001) });
    assert.deepEqual([answer.status, Object.keys(answer.body.fields)], [400, ["description"]]);
  });

  it("is told to a socket with the same body that the author is answered", async () => {
    const board = await newBoard();
    const client = await connect(server.url, ada);
    await client.do("join:workspace", board.workspace._id);
    await client.next("room:users");
    const project = await ada.rest.post("/api/projects", { name: "New", workspaceId: board.workspace._id });
    assert.deepEqual(await client.next("project:created"), { project, createdBy: ada.face });
  });
});

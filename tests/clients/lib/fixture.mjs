// What nearly every test starts from: users known by their tokens alone, and a workspace with a project they share.

import { Rest } from "./rest.mjs";
import { makeUser, mint } from "./tokens.mjs";

/** Users with a token each; their REST callers are `rest`. `sign` are jsonwebtoken's options. */
export function makeUsers(url, names, { sign = { expiresIn: "7d" }, ...rest } = {}) {
  return names.map((name) => {
    const user = makeUser(name);
    const token = mint(user, sign);
    return { ...user, token, rest: new Rest(url, { token, ...rest }) };
  });
}

/**
 * A workspace and a project of `owner`, with `others` as members of both (roles by `roles[name]`, else `member`).
 * Each of them calls once first, since a member can be added by id only when the server has seen that user.
 */
export async function makeProject(owner, others = [], { name = "Launch", roles = {} } = {}) {
  const workspace = await owner.rest.post("/api/workspaces", { name: `${name} workspace` });
  const project = await owner.rest.post("/api/projects", { name, workspaceId: workspace._id });
  for (const user of others) {
    await user.rest.get("/api/workspaces");
    const member = { userId: user.userId, role: roles[user.name] ?? "member" };
    await owner.rest.post(`/api/workspaces/${workspace._id}/members`, member);
    await owner.rest.post(`/api/projects/${project._id}/members`, member);
  }
  return { workspace, project };
}

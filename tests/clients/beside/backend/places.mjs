// Workspaces, projects with their members, channels and messages of the Node backend. It asks nobody for a role.

import { Router } from "express";

export function placeRoutes({ Workspace, Project, Channel, Message }) {
  const change = (Model) => async (req, res) => {
    const changed = await Model.findByIdAndUpdate(req.params.id, req.body, { returnDocument: "after" });
    return changed ? res.json(changed) : res.status(404).json({ message: "Not found" });
  };
  const remove = (Model) => async (req, res) => {
    await Model.findByIdAndDelete(req.params.id);
    res.json({ message: "Deleted successfully" });
  };
  /** The one who makes a place is its owner. */
  const owned = ({ userId }) => [{ user: userId, role: "owner" }];

  return Router()
    .post("/workspaces", async ({ body, user }, res) => {
      const { name } = body;
      res.status(201).json(await Workspace.create({ name, owner: user.userId, members: owned(user) }));
    })
    .patch("/workspaces/:id", change(Workspace))
    .delete("/workspaces/:id", remove(Workspace))
    .post("/projects", async ({ body, user }, res) => {
      const { name, description, workspaceId } = body;
      const project = { name, description, workspace: workspaceId, members: owned(user), createdBy: user.userId };
      res.status(201).json(await Project.create(project));
    })
    .patch("/projects/:id", change(Project))
    .delete("/projects/:id", remove(Project))
    .post("/projects/:id/members", async (req, res) => {
      const project = await Project.findById(req.params.id);
      const { userId: user, role } = req.body;
      project.members.push({ user, role });
      res.json(await project.save());
    })
    .delete("/projects/:id/members/:userId", async (req, res) => {
      const project = await Project.findById(req.params.id);
      project.members = project.members.filter(({ user }) => !user.equals(req.params.userId));
      res.json(await project.save());
    })
    .post("/channels", async ({ body, user }, res) => {
      const { name, projectId } = body;
      const { workspace } = await Project.findById(projectId);
      res.status(201).json(await Channel.create({ name, project: projectId, workspace, createdBy: user.userId }));
    })
    .delete("/channels/:id", remove(Channel))
    .post("/channels/:id/messages", async ({ params, body, user }, res) => {
      const message = await Message.create({ channel: params.id, sender: user.userId, content: body.content });
      res.status(201).json(await message.populate("sender", "name email avatar"));
    });
}

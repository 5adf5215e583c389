// Just enough of workspaces and projects to set a test up; the guide does not show the old backend's own.

import { Project, Workspace } from "../models.js";

export const listWorkspaces = async (req, res) => {
  res.json(await Workspace.find({ "members.user": req.user.userId }));
};

export const createWorkspace = async (req, res) => {
  const owner = req.user.userId;
  res.status(201).json(await Workspace.create({ name: req.body.name, owner, members: [{ user: owner, role: "owner" }] }));
};

export const createProject = async (req, res) => {
  const { name, workspaceId } = req.body;
  const members = [{ user: req.user.userId, role: "owner" }];
  res.status(201).json(await Project.create({ name, workspace: workspaceId, members }));
};

const addMemberTo = (Model) => async (req, res) => {
  const doc = await Model.findById(req.params.id);
  if (!doc) return res.status(404).json({ message: "Not found" });
  doc.members.push({ user: req.body.userId, role: req.body.role });
  await doc.save();
  res.json(doc);
};

export const addWorkspaceMember = addMemberTo(Workspace);
export const addProjectMember = addMemberTo(Project);

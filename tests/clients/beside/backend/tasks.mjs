// The Node backend's task routes: each change is a document that is read, changed and saved.

import { Router } from "express";

const PEOPLE = [
  { path: "assignee", select: "name email avatar" },
  { path: "createdBy", select: "name email" },
];

export function taskRoutes({ Task, Project }) {
  const memberOf = (_id, { userId }) => Project.findOne({ _id, "members.user": userId });

  /** Finds the task of the request for a member of its project. */
  async function open(req, res, next) {
    const task = await Task.findById(req.params.taskId);
    if (!task) return void res.status(404).json({ message: "Task not found" });
    if (!(await memberOf(task.project, req.user))) return void res.status(403).json({ message: "Access denied" });
    req.task = task;
    return void next();
  }

  const noProject = (res) => res.status(404).json({ message: "Project not found or access denied" });

  return Router()
    .get("/project/:projectId", async (req, res) => {
      const { projectId } = req.params;
      if (!(await memberOf(projectId, req.user))) return noProject(res);
      return res.json(await Task.find({ project: projectId }).populate(PEOPLE).sort({ createdAt: -1 }));
    })
    .get("/:taskId", open, async ({ task }, res) => res.json(await task.populate([...PEOPLE, "project"])))
    .post("/", async (req, res) => {
      const { title, description, status, priority, assignee, projectId, dueDate, labels } = req.body;
      const project = await memberOf(projectId, req.user);
      if (!project) return noProject(res);
      const task = await Task.create({
        title,
        description,
        status: status || "todo",
        priority: priority || "medium",
        assignee,
        project: projectId,
        workspace: project.workspace,
        dueDate,
        labels: labels || [],
        subtasks: [],
        createdBy: req.user.userId,
      });
      return res.status(201).json(await task.populate(PEOPLE));
    })
    .patch("/:taskId", open, async ({ task, body }, res) => {
      Object.assign(task, body);
      await task.save();
      res.json(await Task.findById(task._id).populate(PEOPLE));
    })
    .delete("/:taskId", open, async ({ task }, res) => {
      await Task.findByIdAndDelete(task._id);
      res.json({ message: "Task deleted successfully" });
    });
}

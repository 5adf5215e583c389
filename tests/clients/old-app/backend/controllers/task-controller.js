// The old backend's task controller, to the letter (its types left out).

import { Project, Task } from "../models.js";

// Get all tasks for a project
export const getProjectTasks = async (req, res) => {
  try {
    const { projectId } = req.params;
    const userId = req.user.userId;

    // Verify project exists and user has access
    const project = await Project.findOne({
      _id: projectId,
      "members.user": userId,
    });

    if (!project) {
      return res.status(404).json({ message: "Project not found or access denied" });
    }

    const tasks = await Task.find({ project: projectId })
      .populate("assignee", "name email avatar")
      .populate("createdBy", "name email")
      .sort({ createdAt: -1 });

    res.json(tasks);
  } catch (error) {
    res.status(500).json({ message: error.message });
  }
};

// Get single task
export const getTask = async (req, res) => {
  try {
    const { taskId } = req.params;
    const userId = req.user.userId;

    const task = await Task.findById(taskId)
      .populate("assignee", "name email avatar")
      .populate("createdBy", "name email")
      .populate("project");

    if (!task) {
      return res.status(404).json({ message: "Task not found" });
    }

    // Verify user has access to the project
    const project = await Project.findOne({
      _id: task.project,
      "members.user": userId,
    });

    if (!project) {
      return res.status(403).json({ message: "Access denied" });
    }

    res.json(task);
  } catch (error) {
    res.status(500).json({ message: error.message });
  }
};

// Create task
export const createTask = async (req, res) => {
  try {
    const { title, description, status, priority, assignee, projectId, dueDate, labels } = req.body;
    const userId = req.user.userId;

    // Verify project exists and user has access
    const project = await Project.findOne({
      _id: projectId,
      "members.user": userId,
    });

    if (!project) {
      return res.status(404).json({ message: "Project not found or access denied" });
    }

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
      createdBy: userId,
    });

    const populatedTask = await Task.findById(task._id)
      .populate("assignee", "name email avatar")
      .populate("createdBy", "name email");

    res.status(201).json(populatedTask);
  } catch (error) {
    res.status(400).json({ message: error.message });
  }
};

// Update task
export const updateTask = async (req, res) => {
  try {
    const { taskId } = req.params;
    const updates = req.body;
    const userId = req.user.userId;

    const task = await Task.findById(taskId);
    if (!task) {
      return res.status(404).json({ message: "Task not found" });
    }

    // Verify user has access
    const project = await Project.findOne({
      _id: task.project,
      "members.user": userId,
    });

    if (!project) {
      return res.status(403).json({ message: "Access denied" });
    }

    // Update task
    Object.assign(task, updates);
    await task.save();

    const updatedTask = await Task.findById(taskId)
      .populate("assignee", "name email avatar")
      .populate("createdBy", "name email");

    res.json(updatedTask);
  } catch (error) {
    res.status(400).json({ message: error.message });
  }
};

// Delete task
export const deleteTask = async (req, res) => {
  try {
    const { taskId } = req.params;
    const userId = req.user.userId;

    const task = await Task.findById(taskId);
    if (!task) {
      return res.status(404).json({ message: "Task not found" });
    }

    // Verify user has access
    const project = await Project.findOne({
      _id: task.project,
      "members.user": userId,
    });

    if (!project) {
      return res.status(403).json({ message: "Access denied" });
    }

    await Task.findByIdAndDelete(taskId);
    res.json({ message: "Task deleted successfully" });
  } catch (error) {
    res.status(500).json({ message: error.message });
  }
};

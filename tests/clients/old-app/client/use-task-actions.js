// What the user does to tasks: change by REST, apply the answer to the own list, then announce the change by socket,
// since the old backend tells nobody of a change made by REST. An announcement names what was sent (`updates` is the
// patch) or what came back (the whole answer): both are found in such apps.

import { api } from "./api.js";

export const useTaskActions = (projectId, { emit, addTask, updateTask, removeTask }) => {
  const createTask = async (fields) => {
    const task = await api.post("/tasks", { ...fields, projectId });
    addTask(task);
    emit("task:create", { projectId, task });
    return task;
  };

  const editTask = async (taskId, patch, { announceWhole = false } = {}) => {
    const task = await api.patch(`/tasks/${taskId}`, patch);
    updateTask(taskId, task);
    emit("task:update", { projectId, taskId, updates: announceWhole ? task : patch });
    return task;
  };

  const dragTask = async (taskId, fromStatus, toStatus, newIndex) => {
    const task = await api.patch(`/tasks/${taskId}`, { status: toStatus });
    updateTask(taskId, task);
    emit("task:move", { projectId, taskId, fromStatus, toStatus, newIndex });
    return task;
  };

  const deleteTask = async (taskId) => {
    await api.delete(`/tasks/${taskId}`);
    removeTask(taskId);
    emit("task:delete", { projectId, taskId });
  };

  return { createTask, editTask, dragTask, deleteTask };
};

// The old client's task list. The guide only uses it; this is how its author would have written it: the list is loaded
// once, and each change is laid over what is there. Nothing is checked: a task told twice is shown twice.

import { useCallback, useEffect, useState } from "react";
import { api } from "./api.js";

export const useTasks = (projectId) => {
  const [tasks, setTasks] = useState([]);
  const [isLoading, setIsLoading] = useState(true);

  useEffect(() => {
    api.get(`/tasks/project/${projectId}`).then((list) => {
      setTasks(list);
      setIsLoading(false);
    });
  }, [projectId]);

  const addTask = useCallback((task) => {
    setTasks((prev) => [task, ...prev]);
  }, []);

  const updateTask = useCallback((taskId, updates) => {
    setTasks((prev) => prev.map((task) => (task._id === taskId ? { ...task, ...updates } : task)));
  }, []);

  const removeTask = useCallback((taskId) => {
    setTasks((prev) => prev.filter((task) => task._id !== taskId));
  }, []);

  return { tasks, isLoading, addTask, updateTask, removeTask };
};

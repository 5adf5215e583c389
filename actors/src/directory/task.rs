//! Tasks as they are read; they are changed in their project's room.

use collabflow_protocol::{
    error::ClientError,
    id::{ProjectId, TaskId, UserId},
    model::{Project, Task},
};

use super::{Directory, role_of};
use crate::store::{TaskPage, TaskQuery};

impl Directory {
    /// A project's tasks, newest first.
    ///
    /// # Errors
    /// `not_found` for who is no member.
    pub async fn tasks(
        &self,
        user: UserId,
        project: ProjectId,
        query: TaskQuery,
    ) -> Result<TaskPage, ClientError> {
        self.project_of(user, project).await?;
        Ok(self.store().tasks(project, query).await?)
    }

    /// A task with its project.
    ///
    /// # Errors
    /// `not_found`; `forbidden` for who is no member of the project.
    pub async fn task(&self, user: UserId, id: TaskId) -> Result<(Task, Project), ClientError> {
        let task = self.stored_task(id).await?;
        let project = self.store().project(task.project).await?;
        project
            .filter(|project| role_of(&project.members, user).is_some())
            .map(|project| (task, project))
            .ok_or_else(|| ClientError::forbidden("Access denied"))
    }

    /// A task, for the room of its project to judge what may be done with it.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn stored_task(&self, id: TaskId) -> Result<Task, ClientError> {
        let task = self.store().task(id).await?;
        task.ok_or_else(|| ClientError::not_found("Task not found"))
    }
}

//! Roles that are lost while their owner waits for its turn, and removals that cannot be seen to be in force.

use std::{
    pin::{Pin, pin},
    task::Poll,
};

use collabflow_protocol::{
    error::ErrorCode,
    id::ChannelId,
    model::{
        ChannelDraft, MemberDraft, MemberKey, ProjectDraft, ProjectPatch, UserBrief, WorkspaceDraft,
    },
};
use futures_util::future::BoxFuture;

use super::*;
use crate::{
    id::now,
    node::{Caller, Echo},
    room::fixture::settings,
    store::{
        MemberChange, Membered, NewAccount, StoreError,
        memory::{Calls, MemoryStore},
    },
};

/// A project of two owners in a workspace of theirs.
struct Stage {
    store: Arc<MemoryStore>,
    directory: Directory,
    ada: UserBrief,
    ben: UserBrief,
    workspace: WorkspaceId,
    project: ProjectId,
    channel: ChannelId,
}

impl Stage {
    async fn new() -> Self {
        let store = Arc::new(MemoryStore::new());
        let node = Node::start(Arc::clone(&store) as _, settings()).await;
        let directory = Directory::new(node);
        let ada = account(&directory, "Ada").await;
        let ben = account(&directory, "Ben").await;
        let name = || "Name".to_owned();
        let draft = WorkspaceDraft { name: name() };
        let workspace = directory.create_workspace(ada.id, draft).await;
        let workspace = workspace.expect("it is made").id;
        let draft = ProjectDraft {
            name: name(),
            description: None,
            workspace,
        };
        let project = directory.create_project(&ada, draft).await;
        let project = project.expect("it is made").id;
        let draft = ChannelDraft {
            name: name(),
            project,
        };
        let channel = directory.create_channel(&ada, draft).await;
        let channel = channel.expect("it is made").id;
        let owner = || member(ben.id, Role::Owner);
        directory
            .add_workspace_member(&ada, workspace, owner())
            .await
            .expect("he is added");
        directory
            .add_project_member(&ada, project, owner())
            .await
            .expect("he is added");
        Self {
            store,
            directory,
            ada,
            ben,
            workspace,
            project,
            channel,
        }
    }

    /// What Ben does.
    fn act(&self, number: usize) -> Option<BoxFuture<'_, Result<(), ClientError>>> {
        let (directory, ben) = (&self.directory, &self.ben);
        let (workspace, project, channel) = (self.workspace, self.project, self.channel);
        let name = || "Late".to_owned();
        let viewer = || member(self.ada.id, Role::Viewer);
        macro_rules! act {
            ($($act:expr),* $(,)?) => {{
                let mut acts: Vec<BoxFuture<'_, Result<(), ClientError>>> =
                    vec![$(Box::pin(async move { $act.await.map(drop) })),*];
                (number < acts.len()).then(|| acts.swap_remove(number))
            }};
        }
        let draft = ProjectDraft {
            name: name(),
            description: None,
            workspace,
        };
        let patch = ProjectPatch {
            name: Some(name()),
            ..ProjectPatch::default()
        };
        let in_project = ChannelDraft {
            name: name(),
            project,
        };
        let (of_workspace, of_project) = (viewer(), viewer());
        let renamed = WorkspaceDraft { name: name() };
        act![
            directory.create_project(ben, draft),
            directory.update_project(ben, project, patch),
            directory.delete_project(ben, project),
            directory.create_channel(ben, in_project),
            directory.delete_channel(ben, channel),
            directory.rename_workspace(ben.id, workspace, renamed),
            directory.delete_workspace(ben, workspace),
            directory.add_workspace_member(ben, workspace, of_workspace),
            directory.remove_workspace_member(ben, workspace, self.ada.id),
            directory.add_project_member(ben, project, of_project),
            directory.remove_project_member(ben, project, self.ada.id),
        ]
    }
}

fn member(id: UserId, role: Role) -> MemberDraft {
    MemberDraft {
        key: MemberKey::User(id),
        role: Some(role),
    }
}

async fn account(directory: &Directory, name: &str) -> UserBrief {
    let account = NewAccount {
        id: directory.node.ids().next(),
        name: name.to_owned(),
        email: format!("{name}@example.com"),
        password_hash: String::new(),
        now: now(),
    };
    let user = directory.store().register(account).await;
    user.expect("an answer").expect("a new email").into()
}

/// Lets a call go as far as it gets without waiting.
async fn started<T>(mut call: Pin<&mut impl Future<Output = T>>) {
    let is_pending =
        std::future::poll_fn(|context| Poll::Ready(call.as_mut().poll(context).is_pending()));
    assert!(is_pending.await, "it waits for nothing");
}

#[tokio::test]
async fn a_role_that_is_lost_while_waiting_for_a_turn_is_lost() {
    let mut number = 0;
    loop {
        let stage = Stage::new().await;
        stage.store.hold(Calls::Writes);
        let patch = ProjectPatch {
            name: Some("Held".into()),
            ..ProjectPatch::default()
        };
        let mut held = pin!(
            stage
                .directory
                .update_project(&stage.ada, stage.project, patch)
        );
        started(held.as_mut()).await;
        let Some(mut act) = stage.act(number) else {
            break;
        };
        started(Pin::new(&mut act)).await;
        let of = Membered::Workspace(stage.workspace);
        // It has its effect at the call; the answer is held back as the others are.
        drop(
            stage
                .store
                .change_member(of, MemberChange::Remove(stage.ben.id), now()),
        );
        stage.store.release();
        held.await.expect("Ada may");
        let refused = act.await.expect_err("he is no member any more");
        assert!(
            refused.message.contains("not found") || refused.message == "Access denied",
            "act {number}: {refused:?}"
        );
        number += 1;
    }
    assert_eq!(number, 11);
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_the_room_cannot_read_is_not_confirmed_and_holds_up_nobody_for_ever() {
    let stage = Stage::new().await;
    let (ada, ben, project) = (&stage.ada, stage.ben.id, stage.project);
    let caller = Caller {
        user: Arc::new(ada.clone()),
        echo: Echo::All,
    };
    // The room is there, since something was asked of it.
    let node = &stage.directory.node;
    let nothing = node.delete_task(caller, project, node.ids().next());
    assert!(nothing.await.is_err());
    stage.store.hold(Calls::Writes);
    let mut removal = pin!(stage.directory.remove_project_member(ada, project, ben));
    started(removal.as_mut()).await;
    let away = StoreError::Unavailable("away".into());
    stage.store.fail_with(Calls::Reads, away);
    stage.store.release();
    let refused = removal.await.expect_err("nobody can know");
    assert_eq!(refused.code, ErrorCode::Unavailable);
    stage.store.mend();
    let again = stage.directory.remove_project_member(ada, project, ben);
    assert_eq!(
        again.await.expect_err("it is done").code,
        ErrorCode::NotFound
    );
}

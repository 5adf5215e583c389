//! Documents and the bodies that they are written from: each reads back as it was written.

use collabflow_protocol::{
    id::ObjectId,
    model::{
        Channel, ChannelDraft, Extra, Member, MemberDraft, MemberKey, Message, MessageDraft,
        Project, ProjectDraft, ProjectPatch, Role, User, UserBrief, Workspace, WorkspaceDraft,
    },
    time::Timestamp,
    validate::Unknown,
};
use proptest::{collection::vec, option::of, prelude::*};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

const TEXT: &str = "[a-zé€\"\\\\]{1,60}";

fn again<T: Serialize + DeserializeOwned>(document: &T) -> T {
    let text = serde_json::to_string(document).expect("a document is written");
    serde_json::from_str(&text).expect("and read")
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

fn an_id() -> impl Strategy<Value = ObjectId> {
    any::<[u8; 12]>().prop_map(ObjectId::from_bytes)
}

fn a_moment() -> impl Strategy<Value = Timestamp> {
    (0..4_000_000_000_000_i64).prop_map(|millis| Timestamp::from_millis(millis).expect("valid"))
}

fn a_role() -> impl Strategy<Value = Role> {
    prop::sample::select(vec![Role::Viewer, Role::Member, Role::Admin, Role::Owner])
}

fn a_user() -> impl Strategy<Value = User> {
    (an_id(), TEXT, of(TEXT), of(TEXT), an_extra()).prop_map(|(id, name, email, avatar, extra)| {
        User {
            id: id.into(),
            name,
            email,
            avatar,
            extra,
        }
    })
}

fn an_extra() -> impl Strategy<Value = Extra> {
    vec(("x[a-zé]{1,9}", TEXT), 0..3)
        .prop_map(|fields| Extra::of(fields.into_iter().map(|(name, text)| (name, json!(text)))))
}

fn a_brief() -> impl Strategy<Value = UserBrief> {
    (an_id(), TEXT, of(TEXT)).prop_map(|(id, name, email)| UserBrief {
        id: id.into(),
        name,
        email,
    })
}

fn members() -> impl Strategy<Value = Vec<Member>> {
    vec(
        (of(a_user()), a_role()).prop_map(|(user, role)| Member { user, role }),
        0..4,
    )
}

proptest! {
    #[test]
    fn a_project_and_its_workspace_read_back(
        id in an_id(), other in an_id(), name in TEXT, description in of(TEXT),
        members in members(), created_by in of(a_brief()), created_at in a_moment(), updated_at in a_moment(),
        extra in an_extra(),
    ) {
        let project = Project {
            id: id.into(),
            name: name.clone(),
            description,
            workspace: other.into(),
            members: members.clone(),
            created_by,
            created_at,
            updated_at,
            extra: extra.clone(),
        };
        prop_assert_eq!(again(&project), project);
        let workspace = Workspace {
            id: id.into(),
            name,
            owner: other.into(),
            members,
            created_at,
            updated_at,
            extra,
        };
        prop_assert_eq!(again(&workspace), workspace);
    }

    #[test]
    fn a_message_and_its_channel_read_back(
        id in an_id(), of_project in of(an_id()), text in TEXT, sender in of(a_user()), client_id in of(TEXT),
        created_by in of(a_brief()), created_at in a_moment(), updated_at in a_moment(),
    ) {
        let message = Message {
            id: id.into(),
            channel: id.into(),
            sender,
            content: text.clone(),
            client_id,
            created_at,
            updated_at,
        };
        prop_assert_eq!(again(&message), message);
        let channel = Channel {
            id: id.into(),
            name: text,
            project: of_project.map(Into::into),
            workspace: of_project.map(Into::into),
            created_by,
            created_at,
            updated_at,
        };
        prop_assert_eq!(again(&channel), channel);
    }

    #[test]
    fn the_bodies_of_projects_workspaces_and_channels_are_read_as_they_were_written(
        name in "[a-zé€]{1,100}", description in of("[a-zé€]{1,60}"), id in an_id(), pad in "[ \n\t]{0,3}",
    ) {
        let sent = format!("{pad}{name}{pad}");
        let body = object(json!({ "name": sent, "description": description, "workspaceId": id }));
        let draft = ProjectDraft::parse(&body, Unknown::Reject).expect("a project");
        let expected = ProjectDraft { name: name.clone(), description: description.clone(), workspace: id.into() };
        prop_assert_eq!(draft, expected);
        let patch = ProjectPatch::parse(&body, Unknown::Reject).expect("a change");
        prop_assert_eq!(patch.name.as_ref(), Some(&name));
        prop_assert_eq!(patch.description, Some(description));

        let body = object(json!({ "name": sent }));
        let draft = WorkspaceDraft::parse(&body, Unknown::Reject).expect("a workspace");
        prop_assert_eq!(draft, WorkspaceDraft { name: name.clone() });
        let body = object(json!({ "name": sent, "projectId": id }));
        let draft = ChannelDraft::parse(&body, Unknown::Reject).expect("a channel");
        prop_assert_eq!(draft, ChannelDraft { name, project: id.into() });
    }

    #[test]
    fn the_bodies_of_messages_and_members_are_read_as_they_were_written(
        content in "[a-zé€]{1,400}", client_id in of("[a-z]{1,64}"), id in an_id(), role in of(a_role()),
    ) {
        let body = object(json!({ "content": content, "clientId": client_id }));
        let draft = MessageDraft::parse(&body, Unknown::Reject).expect("a message");
        prop_assert_eq!(draft, MessageDraft { content, client_id });

        let mut body = object(json!({ "userId": id }));
        if let Some(role) = role {
            body.insert("role".into(), json!(role));
        }
        let draft = MemberDraft::parse(&body, Unknown::Reject).expect("a member");
        prop_assert_eq!(draft, MemberDraft { key: MemberKey::User(id.into()), role });
    }
}

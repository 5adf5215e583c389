//! The bodies of REST: what is accepted keeps to every limit of the contract, and what is refused is refused by name.

use collabflow_protocol::error::{ClientError, ErrorCode};
use collabflow_protocol::event::MoveCommand;
use collabflow_protocol::id::ObjectId;
use collabflow_protocol::model::{
    ChannelDraft, Credentials, Label, MemberDraft, MessageDraft, ProjectDraft, ProjectPatch,
    Registration, SubtaskDraft, TaskDraft, TaskPatch, UserPatch, WorkspaceDraft,
};
use collabflow_protocol::validate::Unknown;
use serde_json::{Map, Value};

/// Every route's body is read from the same object, as a route does it.
pub(crate) fn rest_body(bytes: &[u8]) {
    let Ok(Value::Object(body)) = serde_json::from_slice(bytes) else {
        return;
    };
    both(&body, TaskDraft::parse, check_draft);
    both(&body, TaskPatch::parse, check_patch);
    let task = ObjectId::from_bytes([7; 12]).into();
    both(
        &body,
        |body, unknown| MoveCommand::parse(task, body, unknown),
        |_| {},
    );
    both(&body, MessageDraft::parse, check_message);
    both(&body, ChannelDraft::parse, |draft| {
        within(&draft.name, 1, 100);
    });
    both(&body, MemberDraft::parse, |_| {});
    both(&body, ProjectDraft::parse, |draft| {
        within(&draft.name, 1, 100);
    });
    both(&body, ProjectPatch::parse, |_| {});
    both(&body, WorkspaceDraft::parse, |draft| {
        within(&draft.name, 1, 100);
    });
    both(&body, UserPatch::parse, |_| {});
    // Secrets cannot be compared.
    each(&body, Registration::parse, |who| {
        assert_eq!(who.email, who.email.to_lowercase());
        assert!(who.email.contains('@'));
    });
    each(&body, Credentials::parse, |_| {});
    let announced = TaskPatch::announced(&body);
    check_patch(&announced);
}

/// What is accepted where unknown fields are refused is accepted as the same where they are passed over.
fn both<T: PartialEq + std::fmt::Debug>(
    body: &Map<String, Value>,
    parse: impl Fn(&Map<String, Value>, Unknown) -> Result<T, ClientError>,
    check: impl Fn(&T),
) {
    if let Some((strict, lenient)) = each(body, parse, check) {
        assert_eq!(strict, lenient);
    }
}

/// What is read either way, where it is.
fn each<T>(
    body: &Map<String, Value>,
    parse: impl Fn(&Map<String, Value>, Unknown) -> Result<T, ClientError>,
    check: impl Fn(&T),
) -> Option<(T, T)> {
    let (strict, lenient) = (parse(body, Unknown::Reject), parse(body, Unknown::Ignore));
    match &lenient {
        Ok(read) => check(read),
        Err(error) => check_error(error),
    }
    Some((
        strict.ok()?,
        lenient.expect("what is accepted strictly is accepted leniently"),
    ))
}

pub(crate) fn check_error(error: &ClientError) {
    match error.code {
        ErrorCode::ValidationFailed | ErrorCode::BadId | ErrorCode::NotFound => {}
        other => panic!("{other:?} is not for validation to say"),
    }
    assert!(!error.message.is_empty());
    let mut fields = error.fields.iter();
    assert!(fields.all(|(field, reason)| !reason.is_empty() && !field.starts_with('.')));
}

pub(crate) fn check_draft(draft: &TaskDraft) {
    within(&draft.title, 1, 200);
    draft
        .description
        .iter()
        .for_each(|text| within(text, 1, 20_000));
    check_lists(&draft.subtasks, &draft.labels);
}

pub(crate) fn check_patch(patch: &TaskPatch) {
    patch.title.iter().for_each(|text| within(text, 1, 200));
    let description = patch.description.iter().flatten();
    description.for_each(|text| within(text, 1, 20_000));
    check_lists(
        patch.subtasks.as_deref().unwrap_or_default(),
        patch.labels.as_deref().unwrap_or_default(),
    );
}

fn check_lists(subtasks: &[SubtaskDraft], labels: &[Label]) {
    assert!(subtasks.len() <= 200 && labels.len() <= 50);
    subtasks
        .iter()
        .for_each(|subtask| within(&subtask.title, 0, 200));
    for label in labels {
        within(&label.name, 0, 50);
        within(&label.color, 0, 64);
    }
}

pub(crate) fn check_message(draft: &MessageDraft) {
    within(&draft.content, 1, 10_000);
    draft.client_id.iter().for_each(|id| within(id, 1, 64));
}

fn within(text: &str, least: usize, most: usize) {
    let length = text.chars().count();
    assert!((least..=most).contains(&length), "{length} characters");
    assert_eq!(text, text.trim());
}

//! What is on the demo's board.

use collabflow_protocol::model::{Priority, Status};

/// One task of the demo.
pub(super) struct Sample {
    pub(super) status: Status,
    pub(super) title: &'static str,
    pub(super) priority: Priority,
    pub(super) assignee: Option<&'static str>,
    pub(super) due_days: Option<i64>,
    pub(super) label: Option<(&'static str, &'static str)>,
    pub(super) steps: &'static [(&'static str, bool)],
}

const PLAIN: Sample = Sample {
    status: Status::Todo,
    title: "",
    priority: Priority::Medium,
    assignee: None,
    due_days: None,
    label: None,
    steps: &[],
};
const DESIGN: Option<(&str, &str)> = Some(("design", "#8E44AD"));
const BACKEND: Option<(&str, &str)> = Some(("backend", "#2980B9"));
const BUG: Option<(&str, &str)> = Some(("bug", "#FF5733"));

#[rustfmt::skip]
/// The board, column by column, each from the top.
pub(super) const SAMPLES: [Sample; 12] = [
    Sample { title: "Sketch the welcome page", assignee: Some("Ada"), due_days: Some(3), label: DESIGN, ..PLAIN },
    Sample { title: "Ask five people what they miss", priority: Priority::Low, ..PLAIN },
    Sample { title: "Make search find old tasks", priority: Priority::High, label: BACKEND, ..PLAIN },
    Sample { title: "Name the release", ..PLAIN },
    Sample { status: Status::InProgress, title: "Drag cards on small screens", assignee: Some("Grace"), label: BUG,
             steps: &[("Find out why they stick", true), ("Mend it", false), ("Try three phones", false)], ..PLAIN },
    Sample { status: Status::InProgress, title: "Write the guide for new members", assignee: Some("Ada"), due_days: Some(7), ..PLAIN },
    Sample { status: Status::InProgress, title: "Move to the new server", priority: Priority::High, label: BACKEND, ..PLAIN },
    Sample { status: Status::Review, title: "Colours for labels", assignee: Some("Grace"), label: DESIGN, ..PLAIN },
    Sample { status: Status::Review, title: "Show who is typing", assignee: Some("Ada"), ..PLAIN },
    Sample { status: Status::Done, title: "Pick a logo", priority: Priority::Low, label: DESIGN, ..PLAIN },
    Sample { status: Status::Done, title: "Log in with an email", assignee: Some("Grace"), label: BACKEND, ..PLAIN },
    Sample { status: Status::Done, title: "Set up the project", assignee: Some("Ada"), ..PLAIN },
];

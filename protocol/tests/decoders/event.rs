//! A client's event from its text to a command: what is accepted keeps to every limit of the contract.

use collabflow_protocol::event::{ClientEvent, TaskCommand};
use collabflow_protocol::socket::{self, Packet};
use collabflow_protocol::validate::Unknown;

use crate::{body, packet::text};

pub(crate) fn client_event(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let Ok(Packet::Event { name, args, .. }) = socket::decode(text) else {
        return;
    };
    let lenient = ClientEvent::parse(&name, &args, Unknown::Ignore);
    let strict = ClientEvent::parse(&name, &args, Unknown::Reject);
    if let Err(error) = &lenient {
        body::check_error(error);
        assert!(
            strict.is_err(),
            "what is refused leniently is refused strictly"
        );
        return;
    }
    match lenient.expect("just seen") {
        ClientEvent::Task(_, command) => check_task(&command),
        ClientEvent::ChatMessage(_, draft) => body::check_message(&draft),
        event => {
            if let Ok(strict) = strict {
                assert_eq!(strict, event);
            }
        }
    }
}

fn check_task(command: &TaskCommand) {
    match command {
        TaskCommand::Create {
            draft, client_id, ..
        } => {
            assert!(
                client_id
                    .as_ref()
                    .is_none_or(|id| (1..=64).contains(&id.chars().count()))
            );
            match draft {
                Ok(draft) => body::check_draft(draft),
                Err(error) => body::check_error(error),
            }
        }
        TaskCommand::Update { patch, .. } => match patch {
            Ok(patch) => body::check_patch(patch),
            Err(error) => body::check_error(error),
        },
        TaskCommand::Delete { .. } | TaskCommand::Move(_) => {}
    }
}
